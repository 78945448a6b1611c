"""From the histogram of an activation to the span that its INT8 covers."""

from __future__ import annotations

from enum import Enum

import numpy as np

LEVELS = 127
"""Steps of a signed INT8 on one side of zero."""

PERCENTILE = 99.99
"""Share of the values that the percentile method leaves unclipped."""

_FRACTIONS = np.linspace(0.2, 1.0, 81)
"""Of the largest magnitude: the clips that entropy and MSE choose from."""


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


def clip_fraction(method: RangeMethod, counts: np.ndarray, low: float, high: float) -> float:
    """Which share of its span, 0 to 1, the method keeps of a tensor.

    counts: int64 [bins], a histogram from low to high; zero lies within or at an end.
    """
    largest = max(abs(low), abs(high))
    if method is RangeMethod.MINMAX or largest == 0 or counts.sum() == 0:
        return 1.0
    edges = np.linspace(low, high, len(counts) + 1)
    magnitudes = np.abs((edges[:-1] + edges[1:]) / 2) / largest
    if method is RangeMethod.PERCENTILE:
        order = np.argsort(magnitudes)
        share = np.cumsum(counts[order]) / counts.sum()
        return float(min(1.0, magnitudes[order][np.searchsorted(share, PERCENTILE / 100)] + 0.5 / len(counts)))
    if method is RangeMethod.MSE:
        errors = [_squared_error(magnitudes, counts, fraction) for fraction in _FRACTIONS]
        return float(_FRACTIONS[int(np.argmin(errors))])
    folded = np.histogram(magnitudes, bins=2048, range=(0, 1), weights=counts)[0]
    divergences = [_divergence(folded, round(fraction * 2048)) for fraction in _FRACTIONS]
    return float(_FRACTIONS[int(np.argmin(divergences))])


def _squared_error(magnitudes: np.ndarray, counts: np.ndarray, fraction: float) -> float:
    step = fraction / LEVELS
    # Within the clip the rounding error is uniform over a step; the bins are finer than that.
    inside = magnitudes <= fraction
    clipped = (magnitudes[~inside] - fraction) ** 2
    return float((counts[inside].sum() * step**2 / 12 + (counts[~inside] * clipped).sum()) / counts.sum())


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
