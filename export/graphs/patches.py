"""Patch embedding straight from a camera's bytes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...runtime.network import PATCH, ColorOrder
from ..model.embedding import PatchEmbedding

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Per channel, red first: what the published tracker normalises with."""


class FoldedPatchEmbedding(nn.Module):
    """uint8 [B, H, W, 3] in the given colour order to position-embedded tokens float32 [B, grid**2, C].

    (p / 255 - mean) / std is affine and the patches do not overlap, so it folds exactly into the convolution, which as
    a matrix product over patches takes the pixels in the order in which they lie.
    """

    weight: Tensor
    offset: Tensor

    def __init__(self, embed: PatchEmbedding, position: Tensor, grid: int, color: ColorOrder) -> None:
        super().__init__()
        self.grid = grid
        with torch.no_grad():
            kernel = embed.proj.weight.double()
            mean = torch.tensor(IMAGENET_MEAN, dtype=torch.float64).view(1, 3, 1, 1)
            std = torch.tensor(IMAGENET_STD, dtype=torch.float64).view(1, 3, 1, 1)
            assert embed.proj.bias is not None
            bias = embed.proj.bias.double() - (kernel * (mean / std)).sum((1, 2, 3))
            kernel = kernel / (255 * std)
            if color is ColorOrder.BGR:
                kernel = kernel.flip(1)
            weight = kernel.permute(2, 3, 1, 0).reshape(PATCH * PATCH * 3, -1)
            self.register_buffer("weight", weight.float())
            self.register_buffer("offset", (position.double() + bias).float())

    def forward(self, picture: Tensor) -> Tensor:
        batch = picture.shape[0]
        rows = picture.to(torch.float32).reshape(batch, self.grid, PATCH, self.grid, PATCH * 3)
        patches = rows.permute(0, 1, 3, 2, 4).reshape(batch, self.grid**2, PATCH * PATCH * 3)
        return patches @ self.weight + self.offset
