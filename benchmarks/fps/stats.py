"""The arithmetic of the report: percentiles, and ratios that a drifting machine does not bend."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WHOLE = "whole frame"


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds over all counted frames; percentiles interpolate linearly between frames."""

    stage: str
    median_ms: float
    p90_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Sustained:
    """A long run: frames per second over spans of at least one second, and over its first and last fifth.

    `last_to_first` below 1 says that the machine slowed down.
    """

    frames_per_second: tuple[float, ...]
    first: float
    last: float
    last_to_first: float


def stage_times(stage: str, ms: Sequence[float]) -> StageTimes:
    median, p90, p99 = np.percentile(np.asarray(ms, np.float64), (50, 90, 99)).tolist()
    return StageTimes(stage, median, p90, p99)


def ratio_by_round(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Median over the rounds of one figure over another of the same round.

    The two of a round were measured within seconds of each other, so that a machine that slows down from round to
    round slows both.
    """
    return statistics.median(n / d for n, d in zip(numerators, denominators, strict=True))


def summarise_sustained(frames_per_second: Sequence[float]) -> Sustained:
    """frames_per_second: not empty. The mean of each end is harmonic: frames over the time that they took."""
    fifth = max(1, len(frames_per_second) // 5)
    first = statistics.harmonic_mean(frames_per_second[:fifth])
    last = statistics.harmonic_mean(frames_per_second[-fifth:])
    return Sustained(tuple(frames_per_second), first, last, last / first)
