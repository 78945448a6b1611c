"""Picking rows per sample in a way that exports to one Gather."""

from __future__ import annotations

import torch
from torch import Tensor


def pick(values: Tensor, index: Tensor) -> Tensor:
    """values [B, n, ...] at index int64 [B, k]: [B, k, ...].

    A batch of 1 is a plain Gather along the tokens; more samples are laid end to end and gathered at shifted places,
    which spares the index as wide as the tokens that GatherElements would want.
    """
    batch, count = values.shape[:2]
    if batch == 1:
        return values.index_select(1, index[0])
    shift = torch.arange(batch, device=index.device).unsqueeze(1) * count
    flat = values.flatten(0, 1).index_select(0, (index + shift).flatten())
    return flat.reshape(batch, index.shape[1], *values.shape[2:])


def pick_constant(table: Tensor, index: Tensor) -> Tensor:
    """table [n, ...] at index int64 of any shape: [*index.shape, ...]; brackets would export as GatherND."""
    return table.index_select(0, index.flatten()).reshape(*index.shape, *table.shape[1:])
