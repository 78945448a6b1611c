"""OSTrack as published: one-stream ViT, candidate elimination, centre head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn

from ...runtime.errors import InputError
from ...runtime.network import NetworkGeometry
from .block import NORM_EPS, Block
from .elimination import default_mask, eliminate, restore
from .embedding import PatchEmbedding, embedding_parameter
from .head import CentreHead


class NetworkOutput(NamedTuple):
    """The head's maps, and what was dropped on the way.

    score_map [B, 1, F, F] in 0..1; size_map [B, 2, F, F], width and height in 0..1 of the crop; offset_map [B, 2, F,
    F], x and y in cells; removed and kept: int64 [B, n] per stage that drops candidates, places in the search grid,
    best first.
    """

    score_map: Tensor
    size_map: Tensor
    offset_map: Tensor
    removed: tuple[Tensor, ...]
    kept: tuple[Tensor, ...]


class BlockState(NamedTuple):
    """What a block did, for who trains or draws it.

    softmax: its attention [B, heads, T + n, T + n], before it dropped candidates; tokens [B, T + k, C] after it; seen
    int64 [B, n] and left [B, k]: places in the search grid of the search tokens in the one and in the other.
    """

    softmax: Tensor
    tokens: Tensor
    seen: Tensor
    left: Tensor


Watch: TypeAlias = Callable[[int, BlockState], None]
"""Called after each block with its number."""


class Backbone(nn.Module):
    """The weights of the ViT under the names of the published checkpoints.

    `cls_token` and `pos_embed` are the plain ViT's, which the tracker does not use; published checkpoints carry them.
    """

    def __init__(self, geometry: NetworkGeometry, plain_tokens: int = 197) -> None:
        super().__init__()
        width = geometry.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = embedding_parameter(plain_tokens, width)
        self.pos_embed_z = embedding_parameter(geometry.template_token_count, width)
        self.pos_embed_x = embedding_parameter(geometry.search_token_count, width)
        self.patch_embed = PatchEmbedding(width)
        self.blocks = nn.ModuleList(Block(width, geometry.heads, geometry.mlp_width) for _ in range(geometry.depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)

    @property
    def ordered_blocks(self) -> list[Block]:
        return cast("list[Block]", list(self.blocks))


class OSTrack(nn.Module):
    """The published network; `geometry` says how large it is and where it drops candidates."""

    def __init__(self, geometry: NetworkGeometry, plain_tokens: int = 197) -> None:
        super().__init__()
        self.geometry = geometry
        self.backbone = Backbone(geometry, plain_tokens)
        self.box_head = CentreHead(geometry.width, geometry.head_width)

    def forward(
        self,
        template: Tensor,
        search: Tensor,
        template_mask: Tensor | None = None,
        *,
        eliminations: Mapping[int, int] | None = None,
        watch: Watch | None = None,
    ) -> NetworkOutput:
        """template, search: normalised float32 [B, 3, H, W]; template_mask: bool [B, T], the template tokens that rank
        the candidates (needed for ranking by the box, otherwise taken from the geometry).

        eliminations: search tokens kept at each block that drops some, instead of the geometry's (in training they
        grow fewer from epoch to epoch). Raises InputError for other shapes.
        """
        geometry, backbone = self.geometry, self.backbone
        eliminations = geometry.eliminations if eliminations is None else eliminations
        mask = self._check(template, search, template_mask, bool(eliminations))
        z = backbone.patch_embed(template) + backbone.pos_embed_z
        x = backbone.patch_embed(search) + backbone.pos_embed_x
        tokens = torch.cat([z, x], 1)
        total = geometry.search_token_count
        places = torch.arange(total, device=tokens.device).expand(tokens.shape[0], -1)
        removed, kept = [], []
        for number, block in enumerate(backbone.ordered_blocks):
            tokens, softmax = block.attend(tokens)
            seen = places
            if number in eliminations:
                assert mask is not None
                stage = eliminate(tokens, softmax, mask, places, eliminations[number])
                tokens, places = stage.tokens, stage.kept
                removed.append(stage.removed)
                kept.append(stage.kept)
            tokens = block.transform(tokens)
            if watch is not None:
                watch(number, BlockState(softmax, tokens, seen, places))
        found = backbone.norm(tokens)[:, geometry.template_token_count :]
        if kept:
            found = restore(found, places, total)
        features = found.transpose(1, 2).reshape(-1, geometry.width, geometry.search_grid, geometry.search_grid)
        score, size, offset = self.box_head(features)
        return NetworkOutput(score, size, offset, tuple(removed), tuple(kept))

    def _check(self, template: Tensor, search: Tensor, template_mask: Tensor | None, drops: bool) -> Tensor | None:
        geometry = self.geometry
        for name, picture, size in (
            ("template", template, geometry.template_size),
            ("search", search, geometry.search_size),
        ):
            if picture.ndim != 4 or tuple(picture.shape[1:]) != (3, size, size):
                raise InputError(f"{name} must be [B, 3, {size}, {size}], not {list(picture.shape)}")
            if picture.dtype != self.backbone.pos_embed_x.dtype:
                raise InputError(f"{name} must be {self.backbone.pos_embed_x.dtype}, normalised, not {picture.dtype}")
        if len(template) != len(search):
            raise InputError(
                f"{len(template)} templates for {len(search)} search regions; give as many of one as of the other"
            )
        if not drops:
            return None
        if template_mask is None:
            return default_mask(geometry, len(template), template.device)
        if template_mask.dtype != torch.bool or tuple(template_mask.shape) != (
            len(template),
            geometry.template_token_count,
        ):
            raise InputError(
                f"template_mask must be bool [{len(template)}, {geometry.template_token_count}], "
                f"not {template_mask.dtype} {list(template_mask.shape)}"
            )
        if not bool(template_mask.any(1).all()):
            raise InputError("template_mask marks no token for a sample; at least one must rank the candidates")
        return template_mask
