"""Intervals of a difference over sequences that do not all weigh the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..bootstrap import LEVEL, RESAMPLES, Interval, over_frames, over_sequences

_CHUNK = 4_000_000
"""Numbers drawn at a time, so that the memory stays small."""


def sequence_weights(frames: Sequence[int], figure: str) -> np.ndarray:
    """float64 [S], 1 on average: what each sequence, of so many scored frames, counts in the mean of a figure.

    GOT-10k's "ao" pools the frames of all sequences; every other figure is the plain mean over sequences.
    """
    counts = np.asarray(frames, np.float64) if figure == "ao" else np.ones(len(frames))
    return counts / counts.mean()


def sequences_interval(a: Sequence[float], b: Sequence[float], weights: np.ndarray, seed: int = 0) -> Interval:
    """`over_sequences`, of weighted means: sequences are drawn with their weights. Raises as it does."""
    plain = over_sequences(a, b, seed=seed)
    if np.ptp(weights) == 0:
        return plain
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    generator = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    rows = max(1, _CHUNK // len(weights))
    for start in range(0, RESAMPLES, rows):
        drawn = generator.integers(0, len(weights), (min(rows, RESAMPLES - start), len(weights)))
        means[start : start + rows] = (differences * weights)[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    mean = float(np.average(differences, weights=weights))
    return Interval(mean, low, high, LEVEL, plain.over, plain.count)


def frames_interval(a: Sequence[np.ndarray], b: Sequence[np.ndarray], weights: np.ndarray, seed: int = 0) -> Interval:
    """`over_frames`, of weighted means over sequences. Raises as it does."""
    # The sequences stay, so that a factor on the values of each is its weight.
    sides = ([np.asarray(values) * weight for values, weight in zip(side, weights, strict=True)] for side in (a, b))
    return over_frames(*sides, seed=seed)
