"""The graph that runs every frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...runtime.network import ColorOrder
from ..model import OSTrack
from ..passes import MAP_NAMES
from .block import BlockParts, FoldedBlock, LastBlock
from .elimination import EliminatingBlock
from .head import FoldedHead
from .patches import FoldedPatchEmbedding
from .select import pick, pick_constant
from .template import ranks_by_box


class SearchGraph(nn.Module):
    """From the target's cached features and a search region to its box."""

    corner: Tensor

    def __init__(self, network: OSTrack, color: ColorOrder) -> None:
        super().__init__()
        geometry, backbone = network.geometry, network.backbone
        self.geometry = geometry
        self.ranks_by_box = ranks_by_box(network)
        self.embed = FoldedPatchEmbedding(backbone.patch_embed, backbone.pos_embed_x, geometry.search_grid, color)
        self.blocks = nn.ModuleList(_block(network, i) for i in range(geometry.depth))
        self.norm = backbone.norm
        self.head = FoldedHead(network.box_head, geometry)
        grid = geometry.search_grid
        corner = torch.stack([torch.arange(grid**2) % grid, torch.arange(grid**2) // grid], 1)
        self.register_buffer("corner", corner.float(), persistent=False)

    @property
    def output_names(self) -> list[str]:
        stages = len(self.geometry.kept_counts)
        return ["box", "score", *(f"kept_{i}" for i in range(stages)), *MAP_NAMES]

    def forward(
        self, template_tokens: Tensor, search: Tensor, window: Tensor, template_weights: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """template_tokens float32 [B, T, C], search uint8 [B, H, W, 3], window float32 [F, F], template_weights float32
        [B, T] where candidates are ranked by the box. Gives what `output_names` names, as in the tensor contract."""
        tokens = torch.cat([template_tokens, self.embed(search)], 1)
        kept: list[Tensor] = []
        for block in self.blocks:
            if isinstance(block, EliminatingBlock):
                tokens, chosen = block(tokens, template_weights)
                kept.append(chosen if not kept else pick(kept[-1], chosen))
            else:
                tokens = block(tokens)
        score, size, offset = self.head(self.norm(tokens), kept[-1] if kept else None)
        box, best = self._decode(score, size, offset, window)
        return box, best, *(k.to(torch.int32) for k in kept), score, size, offset

    def _decode(self, score: Tensor, size: Tensor, offset: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        flat = score.flatten(1)
        cell = (flat * window.flatten()).argmax(1, keepdim=True)
        values = torch.cat([offset, size], 1).flatten(2).transpose(1, 2)
        found = pick(values, cell).squeeze(1)
        centre = (pick_constant(self.corner, cell.squeeze(1)) + found[:, :2]) / self.geometry.search_grid
        return torch.cat([centre, found[:, 2:]], 1), pick(flat, cell).squeeze(1)


def _block(network: OSTrack, number: int) -> BlockParts:
    geometry, block = network.geometry, network.backbone.ordered_blocks[number]
    last = number == geometry.depth - 1
    template = geometry.template_token_count
    if number in geometry.eliminations:
        return EliminatingBlock(block, template, geometry.ranking_rows, geometry.eliminations[number], last)
    return LastBlock(block, template) if last else FoldedBlock(block)
