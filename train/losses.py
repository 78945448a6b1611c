"""The published losses (OSTrack, section 3.4 and supplementary): weighted focal loss, generalised IoU, L1."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import torch
from torch import Tensor

from ..export.model import NetworkOutput
from ..export.model.head import box_at
from .targets import CentreCell, centre_cells, heat_map

ALPHA, BETA = 2, 4
"""Exponents of the focal loss: how little sure cells count, and how little cells beside the peak."""


class RegressAt(str, Enum):
    """The cells whose box is compared with the truth: the highest, as published, the true one, or both."""

    PEAK = "peak"
    TRUTH = "truth"
    BOTH = "both"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class LossWeights:
    """focal, giou, l1: as published 1, 2, 5. guidance: of `guidance.ranking_loss`, which is not published."""

    focal: float = 1.0
    giou: float = 2.0
    l1: float = 5.0
    guidance: float = 0.0


class TrackingLoss(NamedTuple):
    """Means over the batch, scalars; iou is that of the highest cell's box, without a gradient."""

    focal: Tensor
    giou: Tensor
    l1: Tensor
    iou: Tensor


def focal_loss(score: Tensor, target: Tensor) -> Tensor:
    """Weighted focal loss, a scalar.

    L = -1/N sum over cells of (1 - p)^alpha log(p) where the target is 1, (1 - t)^beta p^alpha log(1 - p) elsewhere; N
    is the number of cells that are 1. score p, in (0, 1), and target t: float [B, 1, F, F].
    """
    peak = target.eq(1).to(score.dtype)
    hit = (1 - score) ** ALPHA * score.log() * peak
    miss = (1 - target) ** BETA * score**ALPHA * (1 - score).log() * (1 - peak)
    return -(hit.sum() + miss.sum()) / peak.sum().clamp_min(1)


def corners(box: Tensor) -> Tensor:
    """float [B, 4] from x, y, w, h to x1, y1, x2, y2."""
    return torch.cat([box[:, :2], box[:, :2] + box[:, 2:]], 1)


def box_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al. 2019) of boxes by corners, float [B, 4]: float [B] each.

    GIoU = IoU - (hull - union) / hull; two boxes without any area have an IoU of 0.
    """
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inside = (high - low).clamp_min(0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inside
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    tiny = torch.finfo(a.dtype).tiny
    iou = inside / union.clamp_min(tiny)
    return iou, iou - (hull - union) / hull.clamp_min(tiny)


def tracking_loss(maps: NetworkOutput, box: Tensor, cell: CentreCell, regress_at: RegressAt) -> TrackingLoss:
    """The losses of a batch. box: float32 [B, 4], x, y, w, h in 0..1 of the search crop, the target's.

    As published, boxes are compared by their corners, the truth cut to the crop.
    """
    grid = maps.score_map.shape[-1]
    truth = corners(box).clamp(0, 1)
    places = centre_cells(box, grid, cell)
    true_cell = places[:, 1] * grid + places[:, 0]
    best_cell = maps.score_map.detach().flatten(1).argmax(1)
    chosen = {RegressAt.PEAK: [best_cell], RegressAt.TRUTH: [true_cell], RegressAt.BOTH: [best_cell, true_cell]}
    gious, distances = [], []
    for at in chosen[regress_at]:
        found = _corners_at(maps, at, grid)
        gious.append(1 - box_iou(found, truth)[1])
        distances.append((found - truth).abs().mean(1))
    with torch.no_grad():
        iou = box_iou(_corners_at(maps, best_cell, grid), truth)[0]
    return TrackingLoss(
        focal=focal_loss(maps.score_map, heat_map(box, grid, cell)),
        giou=torch.cat(gious).mean(),
        l1=torch.cat(distances).mean(),
        iou=iou.mean(),
    )


def _corners_at(maps: NetworkOutput, cell: Tensor, grid: int) -> Tensor:
    found = box_at(maps.size_map, maps.offset_map, cell, grid)
    return torch.cat([found[:, :2] - found[:, 2:] / 2, found[:, :2] + found[:, 2:] / 2], 1)
