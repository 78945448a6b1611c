"""Patch embedding, and positional embeddings resized from a plain ViT."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...runtime.errors import CheckpointError
from ...runtime.network import PATCH


class PatchEmbedding(nn.Module):
    """Pictures float32 [B, 3, H, W] to tokens [B, H/16 * W/16, C], row-major."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, picture: Tensor) -> Tensor:
        return self.proj(picture).flatten(2).transpose(1, 2)


def resize_position_embedding(embedding: Tensor, grid: int) -> Tensor:
    """A plain ViT's positional embedding for another grid, as published: bicubic, corners not aligned.

    embedding: float [1, 1 + n * n, C], the class token's first (or [1, n * n, C] without one); gives [1, grid**2, C].
    Raises CheckpointError where the tokens make no square.
    """
    count = embedding.shape[1]
    side = math.isqrt(count)
    if side * side != count:
        embedding, count = embedding[:, 1:], count - 1
        side = math.isqrt(count)
    if side * side != count:
        raise CheckpointError(f"a positional embedding of {count} patch tokens is no square grid; a plain ViT's is")
    picture = embedding.transpose(1, 2).reshape(1, -1, side, side)
    resized = F.interpolate(picture, size=(grid, grid), mode="bicubic", align_corners=False)
    return resized.flatten(2).transpose(1, 2).contiguous()


def embedding_parameter(tokens: int, width: int) -> nn.Parameter:
    """A learnable positional embedding [1, tokens, width], zero until weights are loaded."""
    return nn.Parameter(torch.zeros(1, tokens, width))


def identity_parameter(width: int) -> nn.Parameter:
    """A learnable vector [1, 1, width] for all tokens of one kind (supplementary, section 2.2)."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, width), std=0.02))
