"""The centre head with batch norm folded, first convolutions joined, and dropped tokens left out."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...runtime.network import NetworkGeometry
from ..model.head import BRANCHES, CentreHead, sigmoid
from .select import pick, pick_constant


class FoldedHead(nn.Module):
    """Search tokens [B, n, C] to score_map [B, 1, F, F], size_map and offset_map [B, 2, F, F]."""

    def __init__(self, head: CentreHead, geometry: NetworkGeometry) -> None:
        super().__init__()
        self.grid = geometry.search_grid
        folded = {branch: [_fold(layer) for layer in head.layers(branch)] for branch in BRANCHES}
        weight = torch.cat([folded[b][0].weight for b in BRANCHES]).detach()
        bias = torch.cat([_bias(folded[b][0]) for b in BRANCHES]).detach()
        sparse = bool(geometry.eliminations)
        self.first = SparseConvolution(weight, bias, self.grid) if sparse else DenseConvolution(weight, bias, self.grid)
        self.rest = nn.ModuleDict({b: nn.ModuleList(folded[b][1:]) for b in BRANCHES})

    def forward(self, tokens: Tensor, places: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """places: int64 [B, n], where each token stands in the grid; None where all are there in order."""
        joined = F.relu(self.first(tokens, places))
        maps = {}
        for branch, part in zip(BRANCHES, joined.chunk(len(BRANCHES), 1), strict=True):
            *convolutions, final = cast("nn.ModuleList", self.rest[branch])
            for convolution in convolutions:
                part = F.relu(convolution(part))
            maps[branch] = final(part)
        return sigmoid(maps["ctr"]), sigmoid(maps["size"]), maps["offset"]


class DenseConvolution(nn.Module):
    """A 3x3 convolution over all tokens."""

    def __init__(self, weight: Tensor, bias: Tensor, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, tokens: Tensor, places: Tensor | None) -> Tensor:
        """tokens [B, F * F, C] to [B, K, F, F]."""
        features = tokens.transpose(1, 2).reshape(tokens.shape[0], -1, self.grid, self.grid)
        return F.conv2d(features, self.weight, self.bias, padding=1)


class SparseConvolution(nn.Module):
    """A 3x3 convolution over a grid of which only some places hold a token and the others zeros.

    Each token is multiplied with all nine taps at once; an output cell then adds up, over its nine neighbours, the
    product of the token there. A neighbour without a token, or outside the grid, points to a last row of zeros.
    """

    place_in_padded: Tensor
    neighbours: Tensor
    tap_number: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, grid: int) -> None:
        super().__init__()
        outputs, inputs = weight.shape[:2]
        self.grid, self.outputs = grid, outputs
        self.bias = nn.Parameter(bias.view(1, outputs, 1, 1))
        self.taps = nn.Parameter(weight.permute(1, 2, 3, 0).reshape(inputs, 9 * outputs))
        padded = grid + 2
        y, x = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
        place = ((y + 1) * padded + x + 1).flatten()
        tap = torch.tensor([dy * padded + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
        self.register_buffer("place_in_padded", place, persistent=False)
        self.register_buffer("neighbours", (place[:, None] + tap).flatten(), persistent=False)
        self.register_buffer("tap_number", torch.arange(9).repeat(grid * grid), persistent=False)

    def forward(self, tokens: Tensor, places: Tensor | None) -> Tensor:
        """tokens [B, n, C] at places int64 [B, n] to [B, K, F, F]."""
        assert places is not None
        batch, count, _ = tokens.shape
        products = F.pad(tokens, (0, 0, 0, 1)) @ self.taps
        # Where each padded place's nine products begin.
        begin = torch.full((batch, (self.grid + 2) ** 2), 9 * count, dtype=torch.int64, device=tokens.device)
        order = 9 * torch.arange(count, device=tokens.device).expand(batch, -1)
        begin = begin.scatter(1, pick_constant(self.place_in_padded, places), order)
        index = begin.index_select(1, self.neighbours) + self.tap_number
        rows = pick(products.reshape(batch, (count + 1) * 9, self.outputs), index)
        total = rows.reshape(batch, self.grid**2, 9, self.outputs).sum(2)
        return total.transpose(1, 2).reshape(batch, self.outputs, self.grid, self.grid) + self.bias


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias


def _fold(layer: nn.Module) -> nn.Conv2d:
    """A convolution with the batch norm behind it folded in; one without stays."""
    if isinstance(layer, nn.Sequential):
        convolution, norm = layer[0], layer[1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        return fuse_conv_bn_eval(convolution.eval(), norm.eval())
    assert isinstance(layer, nn.Conv2d)
    return layer
