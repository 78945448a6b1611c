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
from ..runtime.errors import FootageError, InputError
from ..runtime.geometry import Box, check_box, clip_box, crop_window, template_box
from ..runtime.network import ColorOrder
from ..runtime.opencv import cv2
from ..runtime.tracker import Tracker
from .crops import CalibrationCrops, shortage
from .runs import Run, plan_runs, visible_box
from .single import one_at_a_time
from .specs import LEAST_HELD_BACK, LEAST_SEEN, LIMIT

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

    A fifth of the sequences, the last ones and at least one, is held back, and a fifth of the search regions is cut
    from them; of a single sequence the last fifth of its frames. No frame is taken twice. Frames are BGR, the crops in
    the backend's order. The same input gives the same crops.

    Raises FootageError where there is too little to calibrate on, InputError for a limit that is too low.
    """
    if limit < LEAST_SEEN + LEAST_HELD_BACK:
        raise InputError(f"{limit} crops are too few to calibrate on; take at least {LEAST_SEEN + LEAST_HELD_BACK}")
    if not sequences:
        raise FootageError("there is no footage to calibrate on; INT8 is never calibrated on made-up data")
    collector = _Collector(one_at_a_time(backend), np.random.default_rng(seed), progress, limit)
    reports = [collector.collect(*part) for part in _parts(sequences, limit)]
    bag = collector.bag
    missing = shortage(bag.held_back)
    if missing:
        alike, lost = sum(report.duplicates for report in reports), sum(report.lost for report in reports)
        raise FootageError(
            f"the footage gives too few different crops, {missing} ({alike} near-duplicates left out, the target lost "
            f"{lost} times); give more of it, of several targets"
        )
    crops = CalibrationCrops(
        np.stack(bag.template),
        np.stack(bag.template_box),
        np.stack(bag.search),
        np.array(bag.target, np.int64),
        np.array(bag.held_back),
        backend.color,
        tuple(dict.fromkeys(report.name for report in reports if report.kept)),
    )
    return crops, reports


def _parts(sequences: Several[Sequence], limit: int) -> Iterator[tuple[Sequence, range, int, bool]]:
    """Sequence, its frames to use, how many crops to take, whether they are held back. Where there are more sequences
    than crops to take, evenly spread ones are used."""
    seen, held = limit - limit // 5, limit // 5
    if len(sequences) == 1:
        count = len(sequences[0])
        cut = count - max(1, count // 5)
        yield sequences[0], range(cut), seen, False
        yield sequences[0], range(cut, count), held, True
        return
    cut = len(sequences) - max(1, len(sequences) // 5)
    for part, crops, held_back in ((sequences[:cut], seen, False), (sequences[cut:], held, True)):
        for number, sequence in enumerate(part):
            quota = (number + 1) * crops // len(part) - number * crops // len(part)
            if quota:
                yield sequence, range(len(sequence)), quota, held_back


class _Collector:
    def __init__(self, backend: Backend, random: np.random.Generator, progress: Progress, limit: int) -> None:
        self.bag = _Bag()
        self._random, self._progress, self._limit = random, progress, limit
        network, swap = backend.network, backend.color is not ColorOrder.BGR
        self._templates, self._searches = Cropper(network.template_size, swap), Cropper(network.search_size, swap)
        self._network = network
        self._tracker = Tracker(backend)
        self._sequence: Sequence | None = None
        self._tried: set[int] = set()
        self._thumbnails: list[np.ndarray] = []

    def collect(self, sequence: Sequence, frames: range, quota: int, held_back: bool) -> Collected:
        """Take up to `quota` search regions of these frames."""
        report = Collected(sequence.name, held_back)
        if sequence is not self._sequence:
            self._sequence, self._tried, self._thumbnails = sequence, set(), []
        for run in plan_runs(sequence, frames, quota):
            if report.kept < quota and not self._tried.issuperset(run.wanted[:1]):
                self._follow(sequence, run, quota, report)
        return report

    def _follow(self, sequence: Sequence, run: Run, quota: int, report: Collected) -> None:
        """Track one run until it ends, reaches a frame that was tried before, loses its target, or all is there."""
        self._begin(sequence.frames[run.start], run.box)
        report.frames += 1
        for number in run.frames:
            wanted = number in run.wanted
            if report.kept >= quota or (wanted and number in self._tried):
                return
            frame = sequence.frames[number]
            report.frames += 1
            if wanted:
                self._tried.add(number)
                self._take(frame, report)
            box, truth = self._tracker.update(frame).box, visible_box(sequence, number)
            if truth and iou(box, truth) < LOST:
                report.lost += 1
                return

    def _begin(self, frame: np.ndarray, box: Box) -> None:
        self._tracker.init(frame, box)
        window = crop_window(box, self._network.template_factor)
        size = self._network.template_size
        self._pending = (
            self._templates.cut(frame, window).copy(),
            template_box(box, size / window.side, size),
        )
        self._stored: int | None = None

    def _take(self, frame: np.ndarray, report: Collected) -> None:
        box, factor = self._tracker.box, self._network.search_factor
        # Compared as the tracker sees it: moved about, the same picture would pass for many.
        seen = self._searches.cut(frame, crop_window(box, factor))
        thumbnail = cv2.resize(seen, (16, 16), interpolation=cv2.INTER_AREA)
        if any(cv2.absdiff(thumbnail, old).mean() < SAME_PICTURE for old in self._thumbnails):
            report.duplicates += 1
            return
        self._thumbnails.append(thumbnail)
        self._keep(self._searches.cut(frame, crop_window(self._moved(box, frame), factor)).copy(), report.held_back)
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
