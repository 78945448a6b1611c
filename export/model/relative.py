"""Relative positions of template and search tokens (supplementary, section 2.2; as in SwinTrack, Lin et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def relative_position_index(template_grid: int, search_grid: int) -> Tensor:
    """int64 [T + S, T + S]: the bias that each query (row) and key (column) share, template tokens first.

    Two pairs share one where query and key lie as many rows and columns apart and are of the same kinds. They are
    numbered from 0 in the order of (rows apart, columns apart, query's kind, key's kind), as in the published code.
    """
    row, column, kind = token_places(template_grid, search_grid)
    span = 2 * max(template_grid, search_grid)
    apart = [value[:, None] - value[None, :] + span // 2 for value in (row, column)]
    code = (apart[0] * span + apart[1]) * 4 + 2 * kind[:, None] + kind[None, :]
    return torch.unique(code, sorted=True, return_inverse=True)[1]


def token_places(template_grid: int, search_grid: int) -> tuple[Tensor, Tensor, Tensor]:
    """Row, column and kind (0 template, 1 search) of every token: int64 [T + S] each."""
    parts = []
    for kind, grid in enumerate((template_grid, search_grid)):
        cell = torch.arange(grid * grid)
        parts.append(torch.stack([cell // grid, cell % grid, torch.full_like(cell, kind)]))
    row, column, kind = torch.cat(parts, 1)
    return row, column, kind


def relative_position_count(template_grid: int, search_grid: int) -> int:
    """How many biases a head learns: of template to template, search to search, and each to the other."""
    mixed = template_grid + search_grid - 1
    return (2 * template_grid - 1) ** 2 + (2 * search_grid - 1) ** 2 + 2 * mixed**2


def bias_table(heads: int, count: int) -> nn.Parameter:
    """A learnable table [heads, count], one bias per head and relative position."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(heads, count), std=0.02))


def bias_of(table: Tensor, index: Tensor) -> Tensor:
    """The biases of index int64 [..., q, k] from a table [heads, count]: float [..., heads, q, k]."""
    return table.t()[index].movedim(-1, -3)


def rows_and_columns(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """values [q, k] of the tokens rows int64 [B, n] and columns int64 [B, m]: [B, n, m]."""
    return values[rows[:, :, None], columns[:, None, :]]
