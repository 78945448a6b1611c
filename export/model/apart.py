"""Blocks before the relation layers: template and search are treated apart, by the same weights (section 2.4)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .block import Block


def attend_apart(
    block: Block, tokens: Tensor, template_tokens: int, index: Tensor | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """A block's attention half, each side seeing itself alone.

    tokens [B, T + S, C]; index: int64 [T + S, T + S], relative positions. Gives tokens [B, T + S, C], and the softmax
    of the template [B, heads, T, T] and of the search region [B, heads, S, S].
    """
    first = slice(0, template_tokens), slice(template_tokens, None)
    parts, softmax = [], []
    for side in first:
        bias = block.attn.relative_bias(None if index is None else index[side, side])
        mixed, weights = block.attend(tokens[:, side], bias)
        parts.append(mixed)
        softmax.append(weights)
    return torch.cat(parts, 1), (softmax[0], softmax[1])


def whole_softmax(template: Tensor, search: Tensor) -> Tensor:
    """Both sides' softmax as one over all tokens: [B, heads, T + S, T + S], zero from one side to the other."""
    t, s = template.shape[-1], search.shape[-1]
    return torch.cat([F.pad(template, (0, s)), F.pad(search, (t, 0))], 2)
