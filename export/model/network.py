"""OSTrack as published (one-stream ViT, candidate elimination, centre head) and the designs compared with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn

from ...runtime.errors import InputError
from ...runtime.network import NetworkGeometry
from .apart import attend_apart, whole_softmax
from .block import NORM_EPS, Block
from .elimination import default_mask, eliminate, restore
from .embedding import PatchEmbedding, embedding_parameter, identity_parameter
from .head import CentreHead
from .relation import make_relation
from .relative import relative_position_count, relative_position_index, rows_and_columns


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

    softmax: its attention [B, heads, T + n, T + n], before it dropped candidates, zero between template and search
    where it treats them apart; tokens [B, T + k, C] after it; seen int64 [B, n] and left [B, k]: places in the search
    grid of the search tokens in the one and in the other.
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
    `relative_index`: int64 [T + S, T + S] where a bias is learnt per relative position, otherwise None.
    """

    relative_index: Tensor | None

    def __init__(self, geometry: NetworkGeometry, plain_tokens: int = 197) -> None:
        super().__init__()
        width, design = geometry.width, geometry.design
        grids = geometry.template_grid, geometry.search_grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = embedding_parameter(plain_tokens, width)
        self.pos_embed_z = embedding_parameter(geometry.template_token_count, width)
        self.pos_embed_x = embedding_parameter(geometry.search_token_count, width)
        identities = [identity_parameter(width) if design.identity_embeddings else None for _ in range(2)]
        self.template_segment_pos_embed, self.search_segment_pos_embed = identities
        self.patch_embed = PatchEmbedding(width)
        positions = relative_position_count(*grids) if design.relative_positions else 0
        self.blocks = nn.ModuleList(
            Block(width, geometry.heads, geometry.mlp_width, positions) for _ in range(geometry.depth)
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        index = relative_position_index(*grids) if positions else None
        self.register_buffer("relative_index", index, persistent=False)

    @property
    def ordered_blocks(self) -> list[Block]:
        return cast("list[Block]", list(self.blocks))

    @property
    def template_position(self) -> Tensor:
        """What is added to the template's patches: [1, T, C]."""
        return _added(self.pos_embed_z, self.template_segment_pos_embed)

    @property
    def search_position(self) -> Tensor:
        """What is added to the search region's patches: [1, S, C]."""
        return _added(self.pos_embed_x, self.search_segment_pos_embed)

    def embed(self, template: Tensor, search: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] to tokens [B, T + S, C], template first."""
        z = self.patch_embed(template) + self.template_position
        return torch.cat([z, self.patch_embed(search) + self.search_position], 1)


def _added(position: Tensor, identity: Tensor | None) -> Tensor:
    return position if identity is None else position + identity


class OSTrack(nn.Module):
    """The published network; `geometry` says how large it is, where it drops candidates, and of which design it is."""

    def __init__(self, geometry: NetworkGeometry, plain_tokens: int = 197) -> None:
        super().__init__()
        self.geometry = geometry
        self.backbone = Backbone(geometry, plain_tokens)
        self.relation = make_relation(geometry)
        self.box_head = CentreHead(geometry.head_inputs, geometry.head_width)

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
        tokens = backbone.embed(template, search)
        total, index = geometry.search_token_count, backbone.relative_index
        places = torch.arange(total, device=tokens.device).expand(tokens.shape[0], -1)
        removed, kept = [], []
        for number, block in enumerate(backbone.ordered_blocks):
            seen = places
            if number < geometry.separate_blocks:
                tokens, parts = attend_apart(block, tokens, geometry.template_token_count, index)
                softmax = whole_softmax(*parts) if watch is not None else None
            else:
                tokens, softmax = block.attend(tokens, block.attn.relative_bias(index))
            if number in eliminations:
                assert mask is not None
                assert softmax is not None
                stage = eliminate(tokens, softmax, mask, places, eliminations[number])
                tokens, places = stage.tokens, stage.kept
                removed.append(stage.removed)
                kept.append(stage.kept)
                index = self._relative_index_of(places)
            tokens = block.transform(tokens)
            if watch is not None:
                assert softmax is not None
                watch(number, BlockState(softmax, tokens, seen, places))
        found = self._related(backbone.norm(tokens), places if kept else None)
        if kept:
            found = restore(found, places, total)
        features = found.transpose(1, 2).reshape(-1, geometry.head_inputs, geometry.search_grid, geometry.search_grid)
        score, size, offset = self.box_head(features)
        return NetworkOutput(score, size, offset, tuple(removed), tuple(kept))

    def _related(self, tokens: Tensor, places: Tensor | None) -> Tensor:
        """The search tokens [B, n, W] that the head takes, of the backbone's tokens [B, T + n, C]."""
        if self.relation is None:
            return tokens[:, self.geometry.template_token_count :]
        return self.relation(tokens, None if places is None else self._among_all(places))

    def _relative_index_of(self, places: Tensor) -> Tensor | None:
        """Relative positions of the template and the search tokens at places int64 [B, n]: [B, T + n, T + n]."""
        if self.backbone.relative_index is None:
            return None
        where = self._among_all(places)
        return rows_and_columns(self.backbone.relative_index, where, where)

    def _among_all(self, places: Tensor) -> Tensor:
        """The template's tokens and the search tokens at places int64 [B, n], by their number: int64 [B, T + n]."""
        count = self.geometry.template_token_count
        template = torch.arange(count, device=places.device).expand(len(places), -1)
        return torch.cat([template, places + count], 1)

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
