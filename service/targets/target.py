"""One target: how it looked when it was shown, where it was last believed, what its state is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...runtime.geometry import Box, check_box, clip_box
from ..frames import CapturedFrame
from .likeness import Likeness
from .plan import Search, follow, look_for
from .state import StateJudge, TargetState, Thresholds

_MOST_RESIZED = 2.0
"""How many times as wide or high as when it was last believed an uncertain target may become."""

_PATCH_FACTOR = 4.0
"""Side of the kept patch over sqrt(w * h): twice the published template's, for bundles that see more around it."""


@dataclass(frozen=True, eq=False)
class Patch:
    """What is kept of the frame that a target was shown in, so that any bundle can cut its template from it: uint8
    [h, w, 3], and the box in its pixels."""

    image: np.ndarray
    box: Box

    @classmethod
    def cut(cls, frame: np.ndarray, box: Box) -> Patch:
        half = math.ceil(math.sqrt(box.width * box.height) * _PATCH_FACTOR / 2) + 2
        # By even steps: a crop's place is rounded half to even, and must round in the patch as it does in the frame.
        x1, y1 = (max(0, math.floor((c - half) / 2) * 2) for c in _centre(box))
        x2, y2 = (math.ceil(c) + half for c in _centre(box))
        return cls(frame[y1 : max(0, y2), x1 : max(0, x2)].copy(), Box(box.x - x1, box.y - y1, box.width, box.height))


class Target:
    """Follows the state and place of one target; the network's part is `TargetGroup`'s."""

    def __init__(self, frame: CapturedFrame, box: Box, thresholds: Thresholds) -> None:
        self.shown_in = frame.number
        self.patch = Patch.cut(frame.image, box)
        self.box = box
        """Where it is, pixels of the frame; of a lost target where it was last believed."""
        self._believed = box
        self.score: float | None = None
        self._judge = StateJudge(thresholds)
        self._thresholds = thresholds
        self._likeness = Likeness(frame.image, box)

    @property
    def state(self) -> TargetState:
        return self._judge.state

    @property
    def frames_in_state(self) -> int:
        return self._judge.frames

    def next_search(self, factor: float, frame_size: tuple[int, int]) -> Search:
        """Where to look in the next frame."""
        if self.state is TargetState.LOST:
            return look_for(self.box, factor, self._judge.frames, frame_size)
        return follow(self.box, factor)

    def found(self, image: np.ndarray, box: Box, score: float) -> None:
        """Take what the search gave: image uint8 [H, W, 3], BGR, box in its pixels, score 0..1."""
        was_lost, t = self.state is TargetState.LOST, self._thresholds
        alike = self._likeness.share(image, box)
        self.score = score
        state = self._judge.saw(score * min(1.0, alike), alike)
        if state is TargetState.LOST:
            self.box = self._believed
        elif was_lost or score >= t.hold_below:
            if state is TargetState.TRACKING:
                self._believed = box
                self._likeness.learn(alike)
            if was_lost or state is TargetState.TRACKING or self._is_sober(box):
                self.box = box

    def unseen(self) -> None:
        """Take a frame that shows nothing, as black ones."""
        self.score = None
        if self._judge.saw(0.0) is TargetState.LOST:
            self.box = self._believed

    def _is_sober(self, box: Box) -> bool:
        """Where the network sees nothing, its boxes grow from frame to frame, each from the one before: while it is in
        doubt, a target keeps about the size that was last believed."""
        sides = ((box.width, self._believed.width), (box.height, self._believed.height))
        return all(1 / _MOST_RESIZED <= now / then <= _MOST_RESIZED for now, then in sides)

    def resized(self, before: tuple[int, int], now: tuple[int, int]) -> None:
        """The source's frames have another size, width and height in pixels: move the box along."""
        sx, sy = now[0] / before[0], now[1] / before[1]
        self.box, self._believed = (
            check_box(clip_box(Box(b.x * sx, b.y * sy, b.width * sx, b.height * sy), now[1], now[0]))
            for b in (self.box, self._believed)
        )


def _centre(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2
