"""Crops from footage, by running the tracker over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Several
from dataclasses import dataclass, field

import numpy as np

from ..datasets.sequence import Sequence
from ..datasets.success import iou
from ..runtime.backends import Backend
from ..runtime.crop import Cropper
from ..runtime.errors import FootageError
from ..runtime.geometry import Box, check_box, clip_box, crop_window, template_box
from ..runtime.network import ColorOrder
from ..runtime.opencv import cv2
from ..runtime.tracker import Tracker
from .crops import CalibrationCrops
from .specs import LIMIT

LEAST_SEEN, LEAST_HELD_BACK = 16, 4
"""Fewer say nothing about a range, or about what calibration did."""

SEGMENT = 8
"""Frames that are tracked from one start on true boxes; the next start is further on."""

LOST = 0.1
"""Overlap with the truth below which the tracker is on something else: its crops are then no crops of tracking."""

JITTER_SHIFT, JITTER_SCALE = 0.1, 0.08
"""Standard deviations of what is added to the tracker's own errors: of the centre, in sqrt(w * h), and of the logarithm
of the size. About what the default model errs by against the truth on its training footage."""

SAME_PICTURE = 2.0
"""Mean difference in grey levels, of thumbnails of 16 x 16, below which two crops of a sequence are one."""

Progress = Callable[[int, int], None]
"""Told how many search regions are there, and of how many."""


@dataclass
class Collected:
    """What one sequence gave."""

    name: str
    held_back: bool
    frames: int = 0
    kept: int = 0
    duplicates: int = 0
    lost: int = 0


@dataclass
class _Bag:
    template: list[np.ndarray] = field(default_factory=list)
    template_box: list[np.ndarray] = field(default_factory=list)
    search: list[np.ndarray] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    held_back: list[bool] = field(default_factory=list)


def collect_crops(
    backend: Backend,
    sequences: Several[Sequence],
    *,
    limit: int = LIMIT,
    seed: int = 0,
    progress: Progress = lambda done, count: None,
) -> tuple[CalibrationCrops, list[Collected]]:
    """Up to `limit` search regions, spread evenly over the sequences and their frames, and their templates.

    A fifth of the sequences, the last ones and at least one, is held back; of a single sequence the last fifth of its
    frames. Frames are BGR, the crops in the backend's order. The same input gives the same crops.

    Raises FootageError where there is too little to calibrate on.
    """
    if not sequences:
        raise FootageError("there is no footage to calibrate on; INT8 is never calibrated on made-up data")
    collector = _Collector(backend, np.random.default_rng(seed), progress, limit)
    reports = [collector.collect(*part) for part in _parts(sequences, limit)]
    bag = collector.bag
    seen, unseen = bag.held_back.count(False), bag.held_back.count(True)
    if seen < LEAST_SEEN or unseen < LEAST_HELD_BACK:
        raise FootageError(
            f"the footage gives {seen} different crops to calibrate on and {unseen} held back; at least {LEAST_SEEN} "
            f"and {LEAST_HELD_BACK} are needed, give more of it, of several targets"
        )
    crops = CalibrationCrops(
        np.stack(bag.template),
        np.stack(bag.template_box),
        np.stack(bag.search),
        np.array(bag.target, np.int64),
        np.array(bag.held_back),
        backend.color,
        tuple(dict.fromkeys(sequence.name for sequence in sequences)),
    )
    return crops, reports


def _parts(sequences: Several[Sequence], limit: int) -> Iterator[tuple[Sequence, range, int, bool]]:
    """Sequence, its frames to use, how many crops to take, whether they are held back."""
    if len(sequences) == 1:
        count = len(sequences[0])
        cut = count - max(1, count // 5)
        yield sequences[0], range(cut), limit - limit // 5, False
        yield sequences[0], range(cut, count), limit // 5, True
        return
    held = max(1, len(sequences) // 5)
    for number, sequence in enumerate(sequences):
        quota = math.ceil(limit / len(sequences))
        yield sequence, range(len(sequence)), quota, number >= len(sequences) - held


class _Collector:
    def __init__(self, backend: Backend, random: np.random.Generator, progress: Progress, limit: int) -> None:
        self.bag = _Bag()
        self._backend, self._random, self._progress, self._limit = backend, random, progress, limit
        network, swap = backend.network, backend.color is not ColorOrder.BGR
        self._templates, self._searches = Cropper(network.template_size, swap), Cropper(network.search_size, swap)
        self._network = network
        self._tracker = Tracker(backend)
        self._thumbnails: list[np.ndarray] = []

    def collect(self, sequence: Sequence, frames: range, quota: int, held_back: bool) -> Collected:
        """Take up to `quota` search regions of these frames."""
        report = Collected(sequence.name, held_back)
        self._thumbnails = []
        runs = self._runs(sequence, frames, quota)
        for start, box, following in runs:
            if report.kept >= quota:
                break
            frame = sequence.frames[start]
            report.frames += 1
            self._begin(frame, box)
            for number in following:
                wanted = number in frames and report.kept < quota and self._is_turn(sequence, number, frames, quota)
                if report.kept >= quota or not self._step(sequence, number, report, wanted, held_back):
                    break
        return report

    @staticmethod
    def _is_turn(sequence: Sequence, number: int, frames: range, quota: int) -> bool:
        """Whether a frame is one to take of: all that are tracked from true boxes, evenly spread ones otherwise."""
        known = len(sequence.truth) == len(sequence)
        return known or (number - frames.start) % max(1, len(frames) // max(1, quota)) == 0

    def _runs(self, sequence: Sequence, frames: range, quota: int) -> list[tuple[int, Box, range]]:
        """Where to start, from which box, and which frames to track from there."""
        truth = sequence.truth
        if len(truth) < len(sequence):
            # One run from the only box there is; its frames are those of the part, reached by tracking all before.
            return [(0, sequence.first_box, range(1, frames.stop))]
        usable = [n for n in frames if _is_box(truth[n])]
        stride = max(1, min(3, len(usable) // max(1, quota)))
        return [
            (n, Box(*map(float, truth[n])), range(n + 1, min(frames.stop, n + 1 + SEGMENT * stride), stride))
            for n in _spread(usable, max(1, math.ceil(quota / SEGMENT)))
        ]

    def _begin(self, frame: np.ndarray, box: Box) -> None:
        self._tracker.init(frame, box)
        window = crop_window(box, self._network.template_factor)
        size = self._network.template_size
        self._pending = (
            self._templates.cut(frame, window).copy(),
            template_box(box, size / window.side, size),
        )
        self._stored: int | None = None

    def _step(self, sequence: Sequence, number: int, report: Collected, wanted: bool, held_back: bool) -> bool:
        """Take the search region of one frame if wanted, and track it. False where the tracker has lost its target."""
        frame = sequence.frames[number]
        report.frames += 1
        if wanted:
            self._take(frame, report, held_back)
        box = self._tracker.update(frame).box
        if len(sequence.truth) <= number or not _is_box(sequence.truth[number]):
            return True
        lost = iou(box, Box(*map(float, sequence.truth[number]))) < LOST
        report.lost += lost
        return not lost

    def _take(self, frame: np.ndarray, report: Collected, held_back: bool) -> None:
        window = crop_window(self._moved(self._tracker.box, frame), self._network.search_factor)
        crop = self._searches.cut(frame, window)
        thumbnail = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (16, 16), interpolation=cv2.INTER_AREA)
        if any(cv2.absdiff(thumbnail, old).mean() < SAME_PICTURE for old in self._thumbnails):
            report.duplicates += 1
        else:
            self._thumbnails.append(thumbnail)
            self._keep(crop.copy(), held_back)
            report.kept += 1
            self._progress(len(self.bag.search), self._limit)

    def _keep(self, crop: np.ndarray, held_back: bool) -> None:
        bag = self.bag
        if self._stored is None:
            self._stored = len(bag.template)
            bag.template.append(self._pending[0])
            bag.template_box.append(self._pending[1])
        bag.search.append(crop)
        bag.target.append(self._stored)
        bag.held_back.append(held_back)

    def _moved(self, box: Box, frame: np.ndarray) -> Box:
        size = math.sqrt(box.width * box.height)
        dx, dy = self._random.normal(0, JITTER_SHIFT * size, 2)
        factor = float(np.exp(self._random.normal(0, JITTER_SCALE)))
        centre = box.x + box.width / 2 + float(dx), box.y + box.height / 2 + float(dy)
        width, height = box.width * factor, box.height * factor
        moved = Box(centre[0] - width / 2, centre[1] - height / 2, width, height)
        return check_box(clip_box(moved, frame.shape[0], frame.shape[1]))


def _spread(frames: list[int], count: int) -> list[int]:
    """The frames in an order of which any beginning is spread evenly: `count` of them, then those halfway between, and
    so on. A tracker that loses its target at once needs many starts, one that does not only the first few."""
    step, order = max(1, len(frames) // count), []
    while step:
        order += frames[::step]
        step //= 2
    return list(dict.fromkeys(order))


def _is_box(row: np.ndarray) -> bool:
    return bool(np.isfinite(row).all() and row[2] >= 1 and row[3] >= 1)
