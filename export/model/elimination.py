"""Early candidate elimination (OSTrack, section 3.3): candidates that the template ignores are dropped."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ...runtime.errors import InputError
from ...runtime.network import PATCH, NetworkGeometry


class Elimination(NamedTuple):
    """tokens [B, T + k, C]; kept and removed int64 [B, k] and [B, n - k]: places in the search grid, best first."""

    tokens: Tensor
    kept: Tensor
    removed: Tensor


def rank_candidates(softmax: Tensor, template_mask: Tensor) -> Tensor:
    """How much the template attends to each candidate: float [B, n].

    softmax: attention [B, heads, T + n, T + n]; template_mask: bool [B, T], the template tokens that rank. The mean of
    their attention rows over these tokens and over the heads.
    """
    count = template_mask.shape[1]
    weights = template_mask.to(softmax.dtype)
    weights = weights / weights.sum(1, keepdim=True)
    rows = softmax[:, :, :count, count:]
    return torch.einsum("bhtn,bt->bhn", rows, weights).mean(1)


def eliminate(tokens: Tensor, softmax: Tensor, template_mask: Tensor, places: Tensor, keep: int) -> Elimination:
    """Keep the `keep` best-ranked search tokens.

    tokens [B, T + n, C] (template first); places: int64 [B, n], where each search token stood in the grid.
    """
    count = template_mask.shape[1]
    order = rank_candidates(softmax, template_mask).sort(dim=1, descending=True).indices
    kept, removed = order[:, :keep], order[:, keep:]
    index = kept.unsqueeze(-1).expand(-1, -1, tokens.shape[-1])
    chosen = tokens[:, count:].gather(1, index)
    return Elimination(
        torch.cat([tokens[:, :count], chosen], 1),
        places.gather(1, kept),
        places.gather(1, removed),
    )


def restore(tokens: Tensor, places: Tensor, total: int) -> Tensor:
    """Every search token back in its place, zeros where one was dropped: [B, n, C] to [B, total, C]."""
    full = tokens.new_zeros(tokens.shape[0], total, tokens.shape[2])
    return full.scatter(1, places.unsqueeze(-1).expand_as(tokens), tokens)


def default_mask(geometry: NetworkGeometry, batch: int, device: torch.device) -> Tensor:
    """The ranking tokens that do not depend on the target: bool [B, T]. Raises InputError for ranking by the box."""
    if not geometry.ranking_rows:
        raise InputError("ranking by the target's box needs template_mask (bool [B, T]); make it with box_mask()")
    mask = torch.zeros(batch, geometry.template_token_count, dtype=torch.bool, device=device)
    mask[:, list(geometry.ranking_rows)] = True
    return mask


def box_mask(geometry: NetworkGeometry, box: Tensor) -> Tensor:
    """The template tokens inside the target's box: bool [B, T].

    box: float32 [B, 4], x, y, width, height in 0..1 of the template crop. As published: the pixels from int(x), int(y)
    to int(x + w - 1), int(y + h - 1) exclusive, reduced bilinearly by 16 (so that a token's value is the mean of the
    four pixels at its centre), and above 0. A box that reaches outside is cut to the crop, and one that covers no
    token's centre falls back to the centre token, where the published code's negative indices wrap around.
    """
    size, grid = geometry.template_size, geometry.template_grid
    pixels = box.to(torch.float32) * size
    first = pixels[:, :2].trunc()
    last = (pixels[:, :2] + pixels[:, 2:] - 1).trunc()
    # Pixels first .. last - 1 hold one of the two centre pixels, PATCH i + 7 and PATCH i + 8, of token i.
    low = torch.arange(grid, device=box.device, dtype=torch.float32) * PATCH + (PATCH // 2 - 1)
    covered = (first[:, :, None] <= low + 1) & (last[:, :, None] > low) & (last > first)[:, :, None]
    mask = (covered[:, 1, :, None] & covered[:, 0, None, :]).flatten(1)
    centre = (grid - 1) // 2 * (grid + 1)
    fallback = torch.arange(grid * grid, device=box.device) == centre
    return mask | (fallback & ~mask.any(1, keepdim=True))
