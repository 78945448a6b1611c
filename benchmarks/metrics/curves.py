"""Shares of frames against a threshold: success, precision, normalised precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OVERLAPS = tuple(i / 20 for i in range(21))
"""Thresholds of the success curve, IoU: 0, 0.05, ..., 1."""

GOT10K_OVERLAPS = tuple(i / 100 for i in range(101))

PIXELS = tuple(float(i) for i in range(51))
"""Thresholds of the precision curve, pixels between the centres: 0, 1, ..., 50."""

NORMALISED = tuple(i / 100 for i in range(51))
"""Thresholds of the normalised precision curve, shares of the target's size: 0, 0.01, ..., 0.5."""

TRACKINGNET_PIXELS = tuple(i * 2.5 for i in range(21))

TRACKINGNET_NORMALISED = tuple(i / 40 for i in range(21))


@dataclass(frozen=True)
class Curve:
    """values[i], 0..1: the share of frames that pass thresholds[i]."""

    thresholds: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, threshold: float) -> float:
        """The value at one of the thresholds. Raises KeyError for a number that is none of them."""
        i = int(np.argmin(np.abs(np.asarray(self.thresholds) - threshold)))
        if abs(self.thresholds[i] - threshold) > 1e-9:
            raise KeyError(threshold)
        return self.values[i]

    def mean(self) -> float:
        """The mean over the thresholds: what OTB and LaSOT call the area under the curve."""
        return float(np.mean(self.values))

    def area(self) -> float:
        """The area under the curve by the trapezoid rule, over a threshold axis scaled to 0..1 (TrackingNet)."""
        values = np.asarray(self.values)
        return float((values[1:] + values[:-1]).sum() / (2 * (len(values) - 1)))


def trapezoid_weights(count: int) -> np.ndarray:
    """float64 [count], of sum 1: what each threshold counts in `Curve.area`, the first and the last by half."""
    weights = np.ones(count)
    weights[[0, -1]] = 0.5
    return weights / (count - 1)


def above(values: np.ndarray, thresholds: tuple[float, ...], frames: int) -> Curve:
    """The share of `frames` with a value strictly above each threshold; values: float64 [N], NaN is a miss."""
    return _curve((values[:, None] > np.asarray(thresholds)).sum(axis=0), thresholds, frames)


def within(values: np.ndarray, thresholds: tuple[float, ...], frames: int) -> Curve:
    """The share of `frames` with a value of at most each threshold; values: float64 [N], NaN is a miss."""
    return _curve((values[:, None] <= np.asarray(thresholds)).sum(axis=0), thresholds, frames)


def mean_curve(curves: list[Curve]) -> Curve:
    """The mean of curves over the same thresholds."""
    values = np.mean([curve.values for curve in curves], axis=0)
    return Curve(curves[0].thresholds, tuple(values.tolist()))


def _curve(hits: np.ndarray, thresholds: tuple[float, ...], frames: int) -> Curve:
    return Curve(thresholds, tuple((hits / frames).tolist()))
