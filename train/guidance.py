"""Guidance of the ranking: the template's centre shall attend to the target in the search region.

Not part of the published recipe, which starts from a pretrained ViT. A network from scratch has to find out that
template and search region have to do with each other; and candidates are dropped by this very attention.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..export.model.elimination import rank_candidates


def overlap_with_cells(box: Tensor, grid: int) -> Tensor:
    """The share of each cell that the box covers: float [B, grid * grid], row-major.

    box: float [B, 4], x, y, w, h in 0..1 of the crop.
    """
    edges = torch.arange(grid, device=box.device, dtype=box.dtype)
    first, last = box[:, :2] * grid, (box[:, :2] + box[:, 2:]) * grid
    low = torch.maximum(first[:, :, None], edges)
    high = torch.minimum(last[:, :, None], edges + 1)
    covered = (high - low).clamp_min(0)
    return (covered[:, 1, :, None] * covered[:, 0, None, :]).flatten(1)


def ranking_loss(softmax: Tensor, template_mask: Tensor, seen: Tensor, overlap: Tensor) -> Tensor:
    """Cross-entropy between the target's place and the ranking, a scalar: -sum t_i log(r_i / sum r), mean over samples.

    softmax: a block's attention [B, heads, T + n, T + n]; template_mask: bool [B, T], who ranks; seen: int64 [B, n],
    the candidates' places; overlap: float [B, F * F], see `overlap_with_cells`; t is its share of what is still there.
    A sample whose target has been dropped already counts nothing.
    """
    # Autocast would have the ranking in half precision, where shares below 6e-8 are 0 and their logarithm is none.
    with torch.autocast(softmax.device.type, enabled=False):
        softmax = softmax.to(torch.promote_types(softmax.dtype, torch.float32))
        ranking = rank_candidates(softmax, template_mask)
    target = overlap.gather(1, seen)
    weight = target.sum(1)
    there = weight > 0
    target = target / weight.clamp_min(1e-6)[:, None]
    logs = (ranking.clamp_min(1e-9) / ranking.sum(1, keepdim=True).clamp_min(1e-9)).log()
    return -((target * logs).sum(1) * there).sum() / there.sum().clamp_min(1)
