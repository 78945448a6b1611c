"""What the score map should be: a Gaussian at the target's centre, as wide as the target allows (CornerNet, as released
with OSTrack)."""

from __future__ import annotations

from enum import Enum

import torch
from torch import Tensor

MIN_OVERLAP = 0.7
"""IoU that a box keeps when its corners stray by the Gaussian's radius."""


class CentreCell(str, Enum):
    """Which cell holds the peak: the one whose corner is nearest, as released, or the one that holds the centre."""

    ROUND = "round"
    FLOOR = "floor"

    def __str__(self) -> str:
        return self.value


def centre_cells(box: Tensor, grid: int, rule: CentreCell) -> Tensor:
    """Column and row of the peak: int64 [B, 2], cut to the grid. box: float [B, 4], x, y, w, h in 0..1 of the crop."""
    centre = (box[:, :2] + box[:, 2:] / 2) * grid
    cell = centre.round() if rule is CentreCell.ROUND else centre.floor()
    return cell.long().clamp(0, grid - 1)


def gaussian_radius(size: Tensor, min_overlap: float = MIN_OVERLAP) -> Tensor:
    """CornerNet's radius for boxes of `size` float [B, 2] (width, height in cells), as released: the least of the three
    cases' r = (b + sqrt(b^2 - 4 a c)) / 2, whose first coefficient was meant to divide and does not. float [B]."""
    w, h = size.unbind(-1)
    o = min_overlap
    cases = (
        (torch.ones_like(w), h + w, w * h * (1 - o) / (1 + o)),
        (torch.full_like(w, 4.0), 2 * (h + w), (1 - o) * w * h),
        (torch.full_like(w, 4 * o), -2 * o * (h + w), (o - 1) * w * h),
    )
    roots = [(b + (b * b - 4 * a * c).clamp_min(0).sqrt()) / 2 for a, b, c in cases]
    return torch.stack(roots).amin(0)


def heat_map(box: Tensor, grid: int, rule: CentreCell = CentreCell.ROUND) -> Tensor:
    """float [B, 1, grid, grid]: exp(-d^2 / (2 sigma^2)) within the radius r of the peak, 0 beyond.

    sigma = (2 r + 1) / 6 with r in whole cells. box: float [B, 4], x, y, w, h in 0..1 of the crop."""
    radius = gaussian_radius(box[:, 2:] * grid).clamp_min(0).floor()
    cell = centre_cells(box, grid, rule).to(box.dtype)
    steps = torch.arange(grid, device=box.device, dtype=box.dtype)
    dx = (steps[None, :] - cell[:, :1])[:, None, :]
    dy = (steps[None, :] - cell[:, 1:])[:, :, None]
    reach = radius[:, None, None]
    sigma = (2 * reach + 1) / 6
    values = torch.exp(-(dx**2 + dy**2) / (2 * sigma**2))
    inside = (dx.abs() <= reach) & (dy.abs() <= reach)
    return (values * inside)[:, None]
