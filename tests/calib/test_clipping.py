"""Histograms of magnitudes whose best clip is known."""

from __future__ import annotations

import numpy as np
import pytest
from ostrack_edge.calib.clipping import LEVELS, RangeMethod, clip_fraction

BINS = 4096
MIDDLES = (np.arange(BINS) + 0.5) / BINS
METHODS = list(RangeMethod)


def histogram(density: np.ndarray, total: float = 1e9) -> np.ndarray:
    return np.round(density / density.sum() * total).astype(np.int64)


def spikes(**bins: int) -> np.ndarray:
    counts = np.zeros(BINS, np.int64)
    for place, count in bins.items():
        counts[int(place[1:])] = count
    return counts


@pytest.mark.parametrize("method", METHODS)
def test_without_a_tail_nothing_is_clipped(method: RangeMethod) -> None:
    assert clip_fraction(method, np.full(BINS, 1000)) >= 0.99


@pytest.mark.parametrize("method", METHODS)
def test_of_nothing_all_is_kept(method: RangeMethod) -> None:
    assert clip_fraction(method, np.zeros(BINS, np.int64)) == 1


def test_minmax_keeps_a_single_outlier() -> None:
    assert clip_fraction(RangeMethod.MINMAX, spikes(b10=10**6, b4095=1)) == 1


def test_percentile_leaves_out_one_in_ten_thousand() -> None:
    assert clip_fraction(RangeMethod.PERCENTILE, spikes(b99=19_999, b4095=1)) == 100 / BINS
    assert clip_fraction(RangeMethod.PERCENTILE, spikes(b99=19_990, b4095=10)) == 1


def test_mse_finds_the_clip_of_a_laplace_distribution() -> None:
    """Banner et al. 2019: minimise a^2 / (12 * 127^2) + 2 b^2 exp(-a / b); at 127 levels a = 9.88 b."""
    scale = 1 / 20
    a = 9.88 * scale
    assert abs(a / (6 * LEVELS**2) - 2 * scale * np.exp(-a / scale)) < 1e-7
    assert clip_fraction(RangeMethod.MSE, histogram(np.exp(-MIDDLES / scale))) == pytest.approx(a, abs=0.011)


def test_mse_counts_no_rounding_error_for_zeros() -> None:
    """Of 99 % zeros and an even rest nothing but the rest matters, and that has no tail to clip."""
    counts = np.full(BINS, 1000)
    counts[0] += 99 * counts.sum()
    assert clip_fraction(RangeMethod.MSE, counts) >= 0.99


def test_mse_weighs_outliers_by_their_number() -> None:
    bulk = np.exp(-((MIDDLES * 30) ** 2) / 2)
    few, many = histogram(bulk), histogram(bulk)
    few[-1], many[-1] = 100, 10**8
    assert clip_fraction(RangeMethod.MSE, few) < 0.2
    assert clip_fraction(RangeMethod.MSE, many) == 1


def test_entropy_leaves_out_what_is_hardly_there() -> None:
    counts = histogram(np.exp(-((MIDDLES * 30) ** 2) / 2))
    counts[-1] = 100
    assert clip_fraction(RangeMethod.ENTROPY, counts) < 0.25


def test_entropy_keeps_what_its_levels_hold_exactly() -> None:
    """Values that 128 levels tell apart as they are: any clip would add to the divergence, which is 0."""
    steps = np.repeat(np.arange(1, 129), BINS // 128) * 1000
    assert clip_fraction(RangeMethod.ENTROPY, steps) == 1
