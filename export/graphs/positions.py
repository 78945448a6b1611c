"""Relative positions as a bias of the attention: constant while every token is there, gathered once some are dropped.

After an elimination each sample has kept other tokens, so that it needs other rows and columns of the bias. The place
of a pair's bias is a sum of one number of the query and one of the key: two small Gathers, an Add, and one Gather of
the biases themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...runtime.network import NetworkGeometry
from ..model.block import Attention
from ..model.relative import bias_of, token_places
from .select import pick_constant


class ConstantBias(nn.Module):
    """The bias of all tokens in order."""

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        """values: [heads, n, m]."""
        super().__init__()
        self.register_buffer("values", values.detach().contiguous())

    def forward(self, queries: Tensor | None = None, keys: Tensor | None = None) -> Tensor:
        return self.values


class GatheredBias(nn.Module):
    """The bias of the tokens that are left."""

    table: Tensor
    query_place: Tensor
    key_place: Tensor

    def __init__(self, table: Tensor, query_place: Tensor, key_place: Tensor) -> None:
        """table: float [rows, heads]; query_place, key_place: int64 [N], whose sum is a pair's row."""
        super().__init__()
        self.register_buffer("table", table.detach().contiguous())
        self.register_buffer("query_place", query_place, persistent=False)
        self.register_buffer("key_place", key_place, persistent=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """queries int64 [B, n] and keys int64 [B, m], places among all tokens: [B, heads, n, m]."""
        rows = pick_constant(self.query_place, queries).unsqueeze(2) + pick_constant(self.key_place, keys).unsqueeze(1)
        return pick_constant(self.table, rows).permute(0, 3, 1, 2)


def constant_relative_bias(attention: Attention, index: Tensor | None) -> ConstantBias | None:
    """The bias that a block has learnt for the relative positions int64 [n, n]; None where it has learnt none."""
    bias = attention.relative_bias(index)
    return None if bias is None else ConstantBias(bias)


def gathered_relative_bias(
    attention: Attention, index: Tensor | None, geometry: NetworkGeometry
) -> GatheredBias | None:
    """The same for the tokens that are left, of relative positions int64 [T + S, T + S].

    The table is laid out anew: with the grid's side G, rows apart dy, columns apart dx, kinds a of the query and b of
    the key, a bias stands at (dy + G - 1)(2 G - 1) + dx + G - 1 + (2 a + b)(2 G - 1)^2.
    """
    if attention.relative_position_bias_table is None or index is None:
        return None
    row, column, kind = token_places(geometry.template_grid, geometry.search_grid)
    grid = max(geometry.template_grid, geometry.search_grid)
    span = 2 * grid - 1
    cell = row * span + column
    query = cell + (grid - 1) * (span + 1) + 2 * kind * span**2
    key = kind * span**2 - cell
    table = torch.zeros(4 * span**2, attention.heads)
    biases = bias_of(attention.relative_position_bias_table.detach(), index)
    table[(query[:, None] + key[None, :]).flatten()] = biases.flatten(1).t()
    return GatheredBias(table, query, key)


def gathered_bias(values: Tensor) -> GatheredBias:
    """Any bias [heads, N, N], to be gathered for the tokens that are left."""
    count = values.shape[-1]
    place = torch.arange(count)
    return GatheredBias(values.flatten(1).t(), place * count, place)
