"""How much a place looks like the target in colour: a second opinion, as a network's score alone is high on many
backgrounds. It weighs in on the state only; where the box goes is the network's to say."""

from __future__ import annotations

import numpy as np

from ...runtime.geometry import Box
from ...runtime.opencv import cv2

_BINS = (6, 8, 8)
"""Of lightness and the two colour axes (CIELAB): few for lightness, which shadows change."""

_PATIENCE = 0.02
"""Share by which one frame moves what is usual for a target: fifty frames make it forget."""

_LEAST = 0.05
"""Where even this little is usual, colours say nothing."""


def color_histogram(frame: np.ndarray, box: Box) -> np.ndarray | None:
    """The colours inside `box`, pixels of `frame`, uint8 [H, W, 3], BGR: float32 [384], square roots of shares, so that
    the product of two is their Bhattacharyya coefficient. None where the box shows none of the frame."""
    x1, y1 = max(0, round(box.x)), max(0, round(box.y))
    inside = frame[y1 : max(0, round(box.y + box.height)), x1 : max(0, round(box.x + box.width))]
    if not inside.size:
        return None
    # A thousand pixels tell as much as a million.
    step = max(1, min(inside.shape[:2]) // 32)
    lab = cv2.cvtColor(np.ascontiguousarray(inside[::step, ::step]), cv2.COLOR_BGR2Lab)
    counts = cv2.calcHist([lab], [0, 1, 2], None, list(_BINS), [0, 256] * 3).ravel()
    return np.sqrt(counts / counts.sum())


class Likeness:
    """Compares with the target as it was shown, and knows how alike it usually is while it is followed."""

    def __init__(self, frame: np.ndarray, box: Box) -> None:
        self._shown = color_histogram(frame, box)
        self._usual = 1.0

    def learn(self, alike: float) -> None:
        """Take what `share` gave of a frame in which the target is believed to be there."""
        self._usual += _PATIENCE * (alike * self._usual - self._usual)

    def share(self, frame: np.ndarray, box: Box) -> float:
        """How alike `box` is, as a share of what is usual for the target: 0 for not at all, 1 for as ever; may pass 1.
        frame: uint8 [H, W, 3], BGR."""
        return self._of(frame, box) / max(self._usual, _LEAST)

    def _of(self, frame: np.ndarray, box: Box) -> float:
        found = color_histogram(frame, box)
        if found is None or self._shown is None:
            return 0.0
        return float(found @ self._shown)
