"""How well boxes agree with the truth: overlap and success, as the benchmarks of the field define them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..runtime.geometry import Box

_THRESHOLDS = tuple(i / 20 for i in range(21))


class Agreement(NamedTuple):
    """mean_iou, 0..1; success, 0..1: area under the success curve; frames: how many were compared."""

    mean_iou: float
    success: float
    frames: int


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; 0 where either is empty or has a NaN."""
    if not (a.width > 0 and a.height > 0 and b.width > 0 and b.height > 0):
        return 0.0
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if not (across > 0 and down > 0):
        return 0.0
    shared = across * down
    return shared / (a.width * a.height + b.width * b.height - shared)


def agreement(boxes: Sequence[Box], truth: Sequence[Box]) -> Agreement | None:
    """Compare frame by frame, the first included, as far as both reach; None where nothing could be compared.

    Frames whose true box is NaN or empty (the target is absent) are left out. Success is the mean, over the 21 overlap
    thresholds 0, 0.05, ..., 1, of the share of frames with an IoU strictly above.
    """
    overlaps = [iou(box, true) for box, true in zip(boxes, truth, strict=False) if _present(true)]
    if not overlaps:
        return None
    above = sum(overlap > threshold for overlap in overlaps for threshold in _THRESHOLDS)
    return Agreement(math.fsum(overlaps) / len(overlaps), above / (len(overlaps) * len(_THRESHOLDS)), len(overlaps))


def _present(box: Box) -> bool:
    return all(map(math.isfinite, box)) and box.width > 0 and box.height > 0
