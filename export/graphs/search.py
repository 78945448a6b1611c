"""The graph that runs every frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...runtime.network import ColorOrder
from ..model import OSTrack
from ..passes import MAP_NAMES
from .block import FoldedBlock, LastBlock
from .elimination import EliminatingBlock
from .head import FoldedHead
from .patches import FoldedPatchEmbedding
from .positions import constant_relative_bias, gathered_relative_bias
from .relation import relation_graph
from .select import pick, pick_constant
from .template import ranks_by_box


class SearchGraph(nn.Module):
    """From the target's cached features and a search region to its box."""

    corner: Tensor
    all_tokens: Tensor

    def __init__(self, network: OSTrack, color: ColorOrder) -> None:
        super().__init__()
        geometry, backbone, relation = network.geometry, network.backbone, network.relation
        self.geometry = geometry
        self.ranks_by_box = ranks_by_box(network)
        self.embed = FoldedPatchEmbedding(backbone.patch_embed, backbone.search_position, geometry.search_grid, color)
        self.blocks = nn.ModuleList(_block(network, i) for i in range(geometry.depth))
        self.norm = backbone.norm
        self.relation = None if relation is None else relation_graph(relation, bool(geometry.eliminations))
        self.head = FoldedHead(network.box_head, geometry)
        grid = geometry.search_grid
        corner = torch.stack([torch.arange(grid**2) % grid, torch.arange(grid**2) // grid], 1)
        self.register_buffer("corner", corner.float(), persistent=False)
        # Who stands where matters to what reads positions after candidates were dropped.
        self.follows_places = bool(geometry.eliminations) and (
            geometry.design.relative_positions or relation is not None
        )
        self.register_buffer("all_tokens", torch.arange(geometry.token_count).unsqueeze(0), persistent=False)

    @property
    def output_names(self) -> list[str]:
        stages = len(self.geometry.kept_counts)
        return ["box", "score", *(f"kept_{i}" for i in range(stages)), *MAP_NAMES]

    def forward(
        self,
        template_tokens: Tensor,
        search: Tensor,
        window: Tensor,
        template_weights: Tensor | None = None,
        template_qkv: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """The template graph's outputs, search uint8 [B, H, W, 3] and window float32 [F, F]. Gives what `output_names`
        names, as in the tensor contract."""
        tokens, kept = self._backbone(self.embed(search), template_tokens, template_weights, template_qkv)
        tokens = self.norm(tokens)
        if self.relation is not None and not self.geometry.joint_blocks:
            tokens = torch.cat([template_tokens, self.relation.enter(tokens)], 1)
            tokens = self.relation(tokens, None, template_qkv)
        elif self.relation is not None:
            tokens = self.relation(tokens, self._places(kept[-1]) if kept else None)
        score, size, offset = self.head(tokens, kept[-1] if kept else None)
        box, best = self._decode(score, size, offset, window)
        return box, best, *(k.to(torch.int32) for k in kept), score, size, offset

    def _backbone(
        self, tokens: Tensor, template_tokens: Tensor, weights: Tensor | None, template_qkv: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Search tokens [B, S, C] through every block: template and search tokens, or search tokens alone where nobody
        reads the others; and the places in the search grid that were kept at each stage, int64 [B, n]."""
        geometry, kept = self.geometry, []
        where = self.all_tokens.expand(tokens.shape[0], -1) if self.follows_places else None
        for number, block in enumerate(self.blocks):
            if number < geometry.separate_blocks:
                assert isinstance(block, FoldedBlock)
                tokens = block(tokens, block.bias(None))
                continue
            first = number == geometry.separate_blocks
            tokens = torch.cat([template_tokens, tokens], 1) if first else tokens
            cached = template_qkv if first else None
            if isinstance(block, EliminatingBlock):
                tokens, chosen = block(tokens, weights, where, cached)
                kept.append(chosen if not kept else pick(kept[-1], chosen))
                where = self._places(kept[-1]) if self.follows_places else None
            else:
                assert isinstance(block, (FoldedBlock, LastBlock))
                tokens = block(tokens, block.bias(where), cached)
        return tokens, kept

    def _places(self, kept: Tensor) -> Tensor:
        """Places among all tokens of the template's and of the search tokens kept at int64 [B, n]: [B, T + n]."""
        count = self.geometry.template_token_count
        return torch.cat([self.all_tokens[:, :count].expand(kept.shape[0], -1), kept + count], 1)

    def _decode(self, score: Tensor, size: Tensor, offset: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        flat = score.flatten(1)
        cell = (flat * window.flatten()).argmax(1, keepdim=True)
        values = torch.cat([offset, size], 1).flatten(2).transpose(1, 2)
        found = pick(values, cell).squeeze(1)
        centre = (pick_constant(self.corner, cell.squeeze(1)) + found[:, :2]) / self.geometry.search_grid
        return torch.cat([centre, found[:, 2:]], 1), pick(flat, cell).squeeze(1)


def _block(network: OSTrack, number: int) -> FoldedBlock | LastBlock | EliminatingBlock:
    geometry, block = network.geometry, network.backbone.ordered_blocks[number]
    index, template = network.backbone.relative_index, geometry.template_token_count
    if number < geometry.separate_blocks:
        side = slice(template, None)
        return FoldedBlock(block, constant_relative_bias(block.attn, None if index is None else index[side, side]))
    last = number == geometry.depth - 1 and network.relation is None
    dropped = any(stage <= number for stage in geometry.eliminations)
    if number in geometry.eliminations:
        position = gathered_relative_bias(block.attn, index, geometry)
        keep = geometry.eliminations[number]
        return EliminatingBlock(block, template, geometry.ranking_rows, keep, last, position)
    position = gathered_relative_bias(block.attn, index, geometry) if dropped else None
    position = position or constant_relative_bias(block.attn, index)
    return LastBlock(block, template, position) if last else FoldedBlock(block, position)
