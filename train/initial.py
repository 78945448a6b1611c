"""Weights to start from where there is no pretrained ViT."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..export.model import OSTrack
from ..export.model.block import Attention
from ..runtime.network import NetworkGeometry

_SAME, _NOISE = 0.7, 0.7
_BACK, _BACK_NOISE = 0.4, 0.4
"""Shares of identity and noise in Wq Wk^T, and in Wproj Wv, as in the paper on mimetic initialisation."""

_TEMPERATURE = 100.0
"""Longest wave of the positions, in tokens over 2 pi: grids have 4 to 24 tokens a side."""


def fresh_network(geometry: NetworkGeometry, seed: int = 0) -> OSTrack:
    """A network to train from nothing.

    Attention begins as likeness: queries and keys of one token point the same way (Trockman and Kolter, Mimetic
    Initialization of Self-Attention Layers, 2023), so that the template attends from the first step to what looks like
    it. Positions are sines, on one scale for template and search region, from their centres. Other matrices are
    Xavier-uniform, as in MAE; the score starts at 0.01 everywhere, sizes at a quarter of the crop.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = OSTrack(geometry, plain_tokens=1)
        for module in network.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        backbone = network.backbone
        nn.init.xavier_uniform_(backbone.patch_embed.proj.weight.data.view(geometry.width, -1))
        assert backbone.patch_embed.proj.bias is not None
        nn.init.zeros_(backbone.patch_embed.proj.bias)
        for block in backbone.ordered_blocks:
            _mimic(block.attn)
        which = 0.3 * torch.randn(2, geometry.width)
        with torch.no_grad():
            backbone.pos_embed_z.copy_(sine_positions(geometry.template_grid, geometry.width) + which[0])
            backbone.pos_embed_x.copy_(sine_positions(geometry.search_grid, geometry.width) + which[1])
        _calm_head(network)
    return network


def sine_positions(grid: int, width: int) -> Tensor:
    """float32 [1, grid * grid, width]: sines and cosines of column and row, counted in tokens from the middle."""
    quarter = width // 4
    waves = _TEMPERATURE ** -(torch.arange(quarter) / quarter)
    steps = (torch.arange(grid) - (grid - 1) / 2)[:, None] * waves
    along = torch.cat([steps.sin(), steps.cos()], 1)
    columns = along[None].expand(grid, -1, -1)
    rows = along[:, None].expand(-1, grid, -1)
    positions = torch.cat([columns, rows], 2).reshape(1, grid * grid, 4 * quarter)
    return nn.functional.pad(positions, (0, width - 4 * quarter))


@torch.no_grad()
def _mimic(attention: Attention) -> None:
    width = attention.qkv.in_features
    per_head = width // attention.heads
    for head in range(attention.heads):
        alike = _SAME * torch.eye(width) + _NOISE * torch.randn(width, width) / width**0.5
        left, middle, right = torch.linalg.svd(alike)
        root = middle[:per_head].sqrt()
        rows = slice(head * per_head, (head + 1) * per_head)
        attention.qkv.weight[rows] = (left[:, :per_head] * root).T
        attention.qkv.weight[width:][rows] = (right[:per_head].T * root).T
    back = _BACK_NOISE * torch.randn(width, width) / width**0.5 - _BACK * torch.eye(width)
    left, middle, right = torch.linalg.svd(back)
    attention.qkv.weight[2 * width :] = middle.sqrt()[:, None] * right
    attention.proj.weight.copy_(left * middle.sqrt())


@torch.no_grad()
def _calm_head(network: OSTrack) -> None:
    for branch, bias in (("ctr", -4.6), ("size", -1.1), ("offset", 0.5)):
        last = network.box_head.layers(branch)[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.normal_(last.weight, std=0.01)
        nn.init.constant_(last.bias, bias)
