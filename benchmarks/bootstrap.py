"""Is a difference between two trackers one? Paired bootstrap intervals over sequences and over frames.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993: the percentile interval; over frames with moving blocks
(Künsch, 1989), because neighbouring frames of a video succeed and fail together and are far from independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..runtime.errors import BenchmarkError

RESAMPLES = 10_000
LEVEL = 0.95
BLOCK = 25
"""Frames that are drawn together: about a second of video."""

_CHUNK = 4_000_000
"""Numbers drawn at a time, so that the memory stays small however many sequences there are."""


@dataclass(frozen=True)
class Interval:
    """difference: a minus b as measured; low, high: where its resampled values lie with probability `level`;
    over: "sequences" or "frames", of which there were `count`."""

    difference: float
    low: float
    high: float
    level: float
    over: str
    count: int

    @property
    def differs(self) -> bool:
        """Whether the two are to be called different: the interval leaves out 0, on either side."""
        return self.low > 0 or self.high < 0


def over_sequences(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The interval of mean(a) - mean(b), where a[i] and b[i] are figures of two trackers on the same sequence i.

    Sequences are drawn with replacement, both trackers' figures together. The same seed gives the same interval. One
    sequence says nothing of others: its interval is everything from -1 to 1, and never a difference. Raises
    BenchmarkError for lists of different lengths, empty ones, and figures that are not finite.
    """
    differences = _paired(np.asarray(a, np.float64), np.asarray(b, np.float64), "sequence")
    _check(resamples, level)
    count = len(differences)
    mean = float(differences.mean())
    if count == 1:
        return Interval(mean, -1.0, 1.0, level, "sequences", 1)
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    rows = max(1, _CHUNK // count)
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), count)
        means[start : start + rows] = differences[generator.integers(0, count, shape)].mean(axis=1)
    return Interval(mean, *_percentiles(means, level), level, "sequences", count)


def over_frames(
    a: Sequence[np.ndarray],
    b: Sequence[np.ndarray],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    block: int = BLOCK,
) -> Interval:
    """The interval of the difference of two trackers' means over sequences of their means over frames.

    a[i], b[i]: float64 [N_i], a value per frame of the same sequence i, such as `SequenceScore.success_per_frame`, the
    mean of which is the success AUC. In every sequence, blocks of `block` neighbouring frames, but of no more than the
    square root of its length, are drawn with replacement, both trackers' together. The sequences stay, so the interval
    answers for more footage of these scenes and not for other scenes. One frame says nothing of others. Raises
    BenchmarkError as `over_sequences` does.
    """
    if len(a) != len(b) or not len(a):
        raise BenchmarkError(
            f"frames of {len(a)} and {len(b)} sequences cannot be compared; give the same, one or more"
        )
    _check(resamples, level)
    if block < 1:
        raise BenchmarkError(f"a block holds at least one frame, not {block}")
    generator = np.random.default_rng(seed)
    means, measured, count = np.zeros(resamples), 0.0, 0
    for i, (one, other) in enumerate(zip(a, b, strict=True)):
        differences = _paired(np.asarray(one, np.float64), np.asarray(other, np.float64), f"frame of sequence {i + 1}")
        means += _block_means(differences, generator, resamples, block) / len(a)
        measured += float(differences.mean()) / len(a)
        count += len(differences)
    if count == len(a):
        return Interval(measured, -1.0, 1.0, level, "frames", count)
    return Interval(measured, *_percentiles(means, level), level, "frames", count)


def _block_means(values: np.ndarray, generator: np.random.Generator, resamples: int, block: int) -> np.ndarray:
    """Means of resampled series as long as `values`, made of blocks that may run over its end to its start."""
    length = len(values)
    # A block as long as the series would give its own mean at every draw, and an interval of no width.
    block = min(block, math.isqrt(length))
    sums = np.cumsum(np.concatenate([[0.0], values, values[:block]]))
    whole, rest = divmod(length, block)
    totals = np.zeros(resamples)
    rows = max(1, _CHUNK // (whole + 1))
    for start in range(0, resamples, rows):
        drawn = generator.integers(0, length, (min(rows, resamples - start), whole + 1))
        first, last = drawn[:, :-1], drawn[:, -1]
        total = (sums[first + block] - sums[first]).sum(axis=1) + sums[last + rest] - sums[last]
        totals[start : start + rows] = total
    return totals / length


def _paired(a: np.ndarray, b: np.ndarray, what: str) -> np.ndarray:
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise BenchmarkError(
            f"a paired comparison needs one figure of each tracker per {what}, not {list(a.shape)} and {list(b.shape)}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise BenchmarkError(f"a paired comparison needs figures for every {what}; some are not finite")
    return a - b


def _check(resamples: int, level: float) -> None:
    if resamples < 100:
        raise BenchmarkError(f"{resamples} resamples are too few for an interval; take at least 100")
    if not 0 < level < 1:
        raise BenchmarkError(f"the level of an interval lies between 0 and 1, such as 0.95, not {level:g}")


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high
