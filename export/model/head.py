"""The centre head: a score per cell, the target's size, and the centre's offset inside the cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BRANCHES = ("ctr", "offset", "size")
"""As the published state dict names them."""


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def sigmoid(values: Tensor) -> Tensor:
    """The published sigmoid, clamped away from 0 and 1; in float32, since 1 - 1e-4 is 1 in half precision."""
    return values.float().sigmoid().clamp(1e-4, 1 - 1e-4)


class CentreHead(nn.Module):
    """Three branches of four 3x3 convolutions (widths K, K/2, K/4, K/8) and a 1x1 convolution each."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        widths = [inputs, width, width // 2, width // 4, width // 8]
        for branch in BRANCHES:
            for i in range(4):
                self.add_module(f"conv{i + 1}_{branch}", _convolution(widths[i], widths[i + 1]))
            self.add_module(f"conv5_{branch}", nn.Conv2d(widths[4], 1 if branch == "ctr" else 2, 1))

    def layers(self, branch: str) -> list[nn.Module]:
        """The branch's five layers in order."""
        return [getattr(self, f"conv{i}_{branch}") for i in range(1, 6)]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """features [B, C, F, F] to score [B, 1, F, F], size [B, 2, F, F] (0..1 of the crop) and offset [B, 2, F, F] (in
        cells)."""
        maps = {}
        for branch in BRANCHES:
            maps[branch] = features
            for layer in self.layers(branch):
                maps[branch] = layer(maps[branch])
        return sigmoid(maps["ctr"]), sigmoid(maps["size"]), maps["offset"].float()


def decode(score: Tensor, size: Tensor, offset: Tensor, window: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The box at the best cell: float [B, 4], centre x, centre y, width, height in 0..1 of the crop; and the cell [B].

    Maps as the head gives them; window [F, F] is multiplied onto the score before the argmax.
    """
    grid = score.shape[-1]
    response = score if window is None else score * window
    cell = response.flatten(1).argmax(1)
    return box_at(size, offset, cell, grid), cell


def box_at(size: Tensor, offset: Tensor, cell: Tensor, grid: int) -> Tensor:
    """The box that the maps hold at given cells (int64 [B], row-major): float [B, 4]."""
    index = cell[:, None, None].expand(-1, 2, 1)
    wh = size.flatten(2).gather(2, index).squeeze(-1)
    shift = offset.flatten(2).gather(2, index).squeeze(-1)
    corner = torch.stack([cell % grid, cell // grid], 1).to(shift.dtype)
    return torch.cat([(corner + shift) / grid, wh], 1)
