"""VOT's short-term protocol of 2020: runs from anchors, accuracy, robustness and expected average overlap.

Kristan et al., "The Eighth Visual Object Tracking VOT2020 Challenge Results", section 2. A run starts at an anchor and
goes forward or backward to the end of the sequence, whichever is longer; nothing re-initialises it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...runtime.errors import BenchmarkError
from .boxes import clip_to_frame, iou, valid

SPACING = 50
"""Frames between anchors."""

FAILURE_OVERLAP = 0.1
"""An overlap at or below it is a miss."""

GRACE = 10
"""Misses in a row that make a failure; it is dated at the first of them."""

EAO_LOW, EAO_HIGH = 115, 755
"""Run lengths, in frames, between which the expected overlap is averaged for VOT2020's short-term sequences."""


@dataclass(frozen=True)
class Anchor:
    """Where a run starts, and whether it goes back in time."""

    frame: int
    backward: bool = False

    def order(self, frames: int) -> np.ndarray:
        """int64 [M]: the frames of a sequence of `frames` in the order in which the run sees them."""
        return np.arange(self.frame, -1, -1) if self.backward else np.arange(self.frame, frames)


@dataclass(frozen=True, eq=False)
class AnchoredRun:
    """boxes: float64 [M, 4] in the order of `anchor.order`, the first being the one given to the tracker."""

    anchor: Anchor
    boxes: np.ndarray


@dataclass(frozen=True, eq=False)
class RunScore:
    """overlaps: float64 [M]; the first, the initialisation, counts as 0. tracked: how many came before the failure."""

    anchor: Anchor
    overlaps: np.ndarray
    tracked: int

    @property
    def failed(self) -> bool:
        return self.tracked < len(self.overlaps)

    @property
    def overlap_sum(self) -> float:
        return float(self.overlaps[: self.tracked].sum())


def place_anchors(truth: np.ndarray, absent: np.ndarray, spacing: int = SPACING) -> tuple[Anchor, ...]:
    """Anchors every `spacing` frames and in the last one, in a sequence that brings none of its own.

    truth: float64 [N, 4]; absent: bool [N]. Those of the first half run forward, the others backward. VOT moved anchors
    by hand off covered targets; here one moves to the nearest frame that has a target. Raises BenchmarkError where
    there is none.
    """
    usable = np.flatnonzero(valid(truth) & ~absent)
    if not len(usable):
        raise BenchmarkError("the sequence has no frame with a target, so no anchor can be placed")
    length = len(truth)
    wanted = [*range(0, length - 1, spacing), length - 1]
    frames = sorted({int(usable[np.argmin(np.abs(usable - frame))]) for frame in wanted})
    return tuple(Anchor(frame, backward=frame > length - 1 - frame) for frame in frames)


def score_anchored_runs(
    truth: np.ndarray, runs: list[AnchoredRun], size: tuple[int, int], name: str = ""
) -> list[RunScore]:
    """Overlaps and failures of the runs of one sequence.

    truth: float64 [N, 4]; size: width and height of the frames. As in the VOT toolkit, overlap is counted in pixels
    that lie in the frame: boxes are rounded, half to even, and cut. A frame whose truth is empty adds 0 to the overlap
    and is no miss; tags such as occlusion have no say. Raises BenchmarkError for runs that do not fit the sequence.
    """
    scored = []
    for run in runs:
        if not 0 <= run.anchor.frame < len(truth):
            raise BenchmarkError(f"{name}: there is no frame {run.anchor.frame} to start from, only {len(truth)}")
        order = run.anchor.order(len(truth))
        if len(run.boxes) != len(order):
            raise BenchmarkError(
                f"{name}: the run from frame {run.anchor.frame} has {len(run.boxes)} boxes, "
                f"and there are {len(order)} frames from there; is it a run on another sequence?"
            )
        present = valid(truth[order])
        overlaps = np.where(present, _pixel_overlap(run.boxes, truth[order], size), 0.0)
        overlaps[0] = 0.0
        scored.append(RunScore(run.anchor, overlaps, _tracked(overlaps, present)))
    return scored


def accuracy_robustness(sequences: list[tuple[RunScore, ...]], lengths: list[int]) -> tuple[float, float]:
    """Accuracy and robustness over sequences: the first weighted by frames tracked, the second by sequence length."""
    tracked = [sum(run.tracked for run in runs) for runs in sequences]
    total = [sum(len(run.overlaps) for run in runs) for runs in sequences]
    overlap = sum(run.overlap_sum for runs in sequences for run in runs)
    shares = np.divide(tracked, total)
    return overlap / sum(tracked) if sum(tracked) else 0.0, float(np.average(shares, weights=lengths))


def expected_overlap(sequences: list[tuple[RunScore, ...]], high: int = EAO_HIGH) -> np.ndarray:
    """The expected average overlap curve: float64 [high], by run length in frames.

    At length j: the mean over runs of the mean overlap of frames 1..j. A run that ended before j without a failure has
    no say; one that failed does, with zeros from there on. Sequences weigh by how many of their runs have a say.
    """
    total, count = np.zeros(high), np.zeros(high)
    for run in (run for runs in sequences for run in runs):
        overlaps = run.overlaps.copy()
        overlaps[run.tracked :] = 0.0
        lengths = np.arange(1, high)
        inside = lengths[lengths < len(overlaps)]
        sums = np.cumsum(overlaps[1:])
        total[inside] += sums[inside - 1] / inside
        count[inside] += 1
        if run.failed:
            beyond = lengths[lengths >= len(overlaps)]
            # The toolkit divides by j - 1 here and by j above; its published figures hold that step.
            total[beyond] += sums[-1] / (beyond - 1)
            count[beyond] += 1
    return np.divide(total, count, out=np.zeros(high), where=count > 0)


def eao_figure(curve: np.ndarray, low: int = EAO_LOW, high: int = EAO_HIGH) -> float:
    """The mean of the curve from `low` to `high` frames; lengths that no run reached count as 0, as in the toolkit."""
    return float(curve[low : high + 1].mean())


def _pixel_overlap(boxes: np.ndarray, truth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # The toolkit stores float32, which decides where halves are rounded to.
    rounded = [np.round(a.astype(np.float32)).astype(np.float64) for a in (boxes, truth)]
    return iou(*(clip_to_frame(a, size) for a in rounded))


def _tracked(overlaps: np.ndarray, present: np.ndarray) -> int:
    misses = 0
    for i, missed in enumerate((overlaps <= FAILURE_OVERLAP) & present):
        misses = misses + 1 if missed else 0
        if misses == GRACE:
            return i + 1 - GRACE
    return len(overlaps)
