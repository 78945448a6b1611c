"""From the histogram of an activation to the span that its INT8 covers."""

from __future__ import annotations

from enum import Enum

import numpy as np

LEVELS = 127
"""Steps of a signed INT8 on one side of zero."""

PERCENTILE = 99.99
"""Share of the values that the percentile method leaves unclipped."""

_FRACTIONS = np.linspace(0.1, 1.0, 91)
"""Of the largest magnitude: the clips that entropy and MSE choose from."""

_FOLDED = 2048
"""Bins of the histogram that entropy is taken of, as published."""


class RangeMethod(str, Enum):
    """How a range is taken from the values seen.

    `minmax`: all of them; `percentile`: all but the outermost; `mse`: the clip with the least mean squared error of
    clipping and rounding together; `entropy`: the clip with the least Kullback-Leibler divergence between the values
    and what 128 levels make of them (Migacz 2017, 8-bit inference with TensorRT).
    """

    MINMAX = "minmax"
    PERCENTILE = "percentile"
    ENTROPY = "entropy"
    MSE = "mse"

    def __str__(self) -> str:
        return self.value


def clip_fraction(method: RangeMethod, counts: np.ndarray) -> float:
    """Which share of its largest magnitude, 0 to 1, the method keeps of a tensor.

    counts: int64 [bins], a histogram of the magnitudes from 0 to the largest; bins a multiple of 2048. The clip is the
    same on both sides of zero.
    """
    if method is RangeMethod.MINMAX or counts.sum() == 0:
        return 1.0
    if method is RangeMethod.PERCENTILE:
        share = np.cumsum(counts) / counts.sum()
        return float((np.searchsorted(share, PERCENTILE / 100) + 1) / len(counts))
    if method is RangeMethod.MSE:
        errors = [_squared_error(counts, fraction) for fraction in _FRACTIONS]
        return float(_FRACTIONS[int(np.argmin(errors))])
    folded = counts.reshape(_FOLDED, -1).sum(1)
    divergences = [_divergence(folded, round(fraction * _FOLDED)) for fraction in _FRACTIONS]
    return float(_FRACTIONS[int(np.argmin(divergences))])


def _squared_error(counts: np.ndarray, fraction: float) -> float:
    """Mean squared error, in units of the largest magnitude, of clipping at `fraction` and rounding to its levels."""
    middles = (np.arange(len(counts)) + 0.5) / len(counts)
    step = fraction / LEVELS
    # Below half a step a value becomes zero; above, the error is uniform over a step, and the bins are finer than that.
    errors = np.where(middles < step / 2, middles**2, step**2 / 12)
    errors = np.where(middles > fraction, (middles - fraction) ** 2, errors)
    return float((counts * errors).sum() / counts.sum())


def _divergence(counts: np.ndarray, bins: int) -> float:
    """Kullback-Leibler divergence of the histogram clipped to `bins` and the same in 128 levels."""
    kept = counts[:bins].astype(np.float64)
    reference = kept.copy()
    reference[-1] += counts[bins:].sum()
    levels = np.arange(bins) * (LEVELS + 1) // bins
    total = np.bincount(levels, kept, LEVELS + 1)
    filled = np.bincount(levels, kept > 0, LEVELS + 1)
    mean = np.divide(total, filled, out=np.zeros_like(total), where=filled > 0)
    quantised = np.where(kept > 0, mean[levels], 0)
    present = reference > 0
    p = reference[present] / reference.sum()
    q = np.maximum(quantised[present] / max(quantised.sum(), 1), 1e-12)
    return float((p * np.log(p / q)).sum())
