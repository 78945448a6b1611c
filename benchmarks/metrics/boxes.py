"""Arithmetic on many boxes at once; a box is x, y, width, height in pixels, 0-based."""

from __future__ import annotations

import numpy as np


def valid(boxes: np.ndarray) -> np.ndarray:
    """Which boxes [..., 4] are finite and have a width and a height above 0: bool [...]."""
    return np.isfinite(boxes).all(axis=-1) & (boxes[..., 2] > 0) & (boxes[..., 3] > 0)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes [..., 4], which broadcast: float64 [...], 0..1.

    0 where either box is empty or has a coordinate that is not finite. A box covers the area from x to x + width: the
    benchmarks' "+ 1" for the last pixel cancels with their "- 1" for the right edge.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    usable = valid(a) & valid(b)
    a, b = np.where(usable[..., None], a, 0.0), np.where(usable[..., None], b, 0.0)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=-1)
    union = a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - shared
    # x + width rounds: the same box twice may come out a hair above 1.
    return np.minimum(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), 1.0)


def centre_errors(boxes: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the centres of boxes [N, 4] lie from those of the truth [N, 4]: two float64 [N].

    The first in pixels (precision), the second with both directions divided by the true width and height (normalised
    precision, TrackingNet, section 4). Infinite where either box is empty or not finite.
    """
    usable = valid(boxes) & valid(truth)
    a, b = np.where(usable[:, None], boxes, 0.0), np.where(usable[:, None], truth, 1.0)
    # Each centre first: equal boxes are then exactly 0 apart, which is within the threshold 0.
    apart = (a[:, :2] + a[:, 2:] / 2) - (b[:, :2] + b[:, 2:] / 2)
    pixels, normalised = np.hypot(*apart.T), np.hypot(*(apart / b[:, 2:]).T)
    return np.where(usable, pixels, np.inf), np.where(usable, normalised, np.inf)


def clip_to_frame(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part of boxes [N, 4] that lies in a frame of size (width, height); width and height 0 where none does."""
    limit = np.asarray(size, np.float64)
    low = np.clip(boxes[:, :2], 0.0, limit)
    high = np.clip(boxes[:, :2] + boxes[:, 2:], 0.0, limit)
    return np.concatenate([low, np.maximum(high - low, 0.0)], axis=1)


def clip_as_got10k(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes [N, 4] bounded to a frame of size (width, height) the way the GOT-10k toolkit does it.

    The corner moves into the frame and the size is bounded by what is left from there: a box that reaches out on the
    left or above keeps its size, it is shifted and not cut. Its scores are published so, and are compared so.
    """
    limit = np.asarray(size, np.float64)
    corner = np.clip(boxes[:, :2], 0.0, limit)
    return np.concatenate([corner, np.clip(boxes[:, 2:], 0.0, limit - corner)], axis=1)


def repeat_invalid(boxes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Boxes [N, 4] in which an empty or not finite one gives way to the one before, as in OTB's and LaSOT's toolkits.

    wanted: bool [N], the frames that have a truth; elsewhere, and in the first frame, the box stays as it is.
    """
    repaired = np.array(boxes, np.float64)
    for i in np.flatnonzero(~valid(repaired) & wanted):
        if i > 0:
            repaired[i] = repaired[i - 1]
    return repaired
