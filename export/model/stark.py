"""STARK's relation modelling (Yan et al. 2021) behind a backbone: a bottleneck and transformer encoder layers."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...runtime.design import RelationModule
from ...runtime.network import NetworkGeometry

NORM_EPS = 1e-5
_TEMPERATURE = 10000.0


def sine_positions(grid: int, width: int) -> Tensor:
    """float32 [grid * grid, width]: DETR's sines and cosines of row and column, each scaled to 0..2 pi."""
    half = width // 2
    waves = _TEMPERATURE ** (2 * (torch.arange(half) // 2) / half)
    steps = torch.arange(1, grid + 1)[:, None] / (grid + 1e-6) * 2 * math.pi / waves
    along = torch.stack([steps[:, 0::2].sin(), steps[:, 1::2].cos()], 2).flatten(1)
    rows, columns = along[:, None].expand(-1, grid, -1), along[None].expand(grid, -1, -1)
    return torch.cat([rows, columns], 2).reshape(grid * grid, width)


class EncoderLayer(nn.Module):
    """Post-norm self-attention and ReLU MLP; positions are added to what makes queries and keys."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """tokens [B, N, W], positions [N, W] or [B, N, W], to [B, N, W]."""
        batch, count, width = tokens.shape
        weight, bias = self.qkv.weight, self.qkv.bias
        qk = F.linear(tokens + positions, weight[: 2 * width], bias[: 2 * width])
        v = F.linear(tokens, weight[2 * width :], bias[2 * width :])
        parts = torch.cat([qk, v], -1).reshape(batch, count, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        softmax = (q @ k.transpose(-2, -1) * self.scale).softmax(-1)
        tokens = self.norm1(tokens + self.proj((softmax @ v).transpose(1, 2).reshape(batch, count, width)))
        return self.norm2(tokens + self.fc2(self.fc1(tokens).relu()))


class StarkRelation(nn.Module):
    """A bottleneck from the backbone's width to the module's, then encoder layers over template and search tokens.

    From the paper: the bottleneck, post-norm layers over the concatenated tokens with ReLU, fixed sine positions of
    each grid, no norm at the end. Chosen here: no dropout, as in OSTrack's training; no decoder with its one query, as
    an aligned tracker has OSTrack's centre head, which reads the encoder's search tokens.
    """

    positions: Tensor

    def __init__(self, geometry: NetworkGeometry, module: RelationModule) -> None:
        super().__init__()
        self.template_tokens = geometry.template_token_count
        self.bottleneck = nn.Linear(geometry.width, module.width)
        self.layers = nn.ModuleList(
            EncoderLayer(module.width, module.heads, module.mlp_width) for _ in range(module.layers)
        )
        grids = geometry.template_grid, geometry.search_grid
        self.register_buffer("positions", torch.cat([sine_positions(g, module.width) for g in grids]), persistent=False)

    @property
    def ordered_layers(self) -> list[EncoderLayer]:
        return cast("list[EncoderLayer]", list(self.layers))

    def forward(self, tokens: Tensor, where: Tensor | None = None) -> Tensor:
        """tokens [B, T + n, C], the backbone's after its norm; where: int64 [B, T + n], their places among all tokens,
        None where all are there in order. Gives search tokens [B, n, W]."""
        positions = self.positions if where is None else self.positions[where]
        tokens = self.bottleneck(tokens)
        for layer in self.ordered_layers:
            tokens = layer(tokens, positions)
        return tokens[:, self.template_tokens :]
