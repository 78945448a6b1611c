"""The graph that runs once per target."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...runtime.network import ColorOrder, TemplateTokens
from ..model import OSTrack
from ..model.elimination import box_mask
from .block import FirstRows, FoldedBlock
from .patches import FoldedPatchEmbedding
from .positions import constant_relative_bias
from .relation import relation_template


class TemplateGraph(nn.Module):
    """Everything about the target that no search region changes.

    Where the backbone's first blocks treat template and search apart, that is the template's way through all of them,
    and its queries, keys and values in the first layer that relates the two.
    """

    def __init__(self, network: OSTrack, color: ColorOrder) -> None:
        super().__init__()
        geometry, backbone = network.geometry, network.backbone
        self.geometry = geometry
        self.ranks_by_box = ranks_by_box(network)
        self.embed = FoldedPatchEmbedding(
            backbone.patch_embed, backbone.template_position, geometry.template_grid, color
        )
        separate, blocks = geometry.separate_blocks, backbone.ordered_blocks
        side, index = slice(0, geometry.template_token_count), backbone.relative_index
        alone = None if index is None else index[side, side]
        self.blocks = nn.ModuleList(FoldedBlock(b, constant_relative_bias(b.attn, alone)) for b in blocks[:separate])
        self.norm = self.relation = None
        if separate == geometry.depth:
            assert network.relation is not None
            self.norm, self.relation = backbone.norm, relation_template(network.relation)
        elif separate:
            self.blocks.append(FirstRows(blocks[separate]))

    @property
    def output_names(self) -> list[str]:
        names = ["template_tokens"]
        if self.geometry.separate_blocks:
            names.append("template_qkv")
        return [*names, *(["template_weights"] if self.ranks_by_box else [])]

    def forward(self, template: Tensor, template_box: Tensor | None = None) -> tuple[Tensor, ...]:
        """template: uint8 [B, H, W, 3]; template_box: float32 [B, 4], x, y, w, h in 0..1 of the crop.

        Gives template_tokens float32 [B, T, C], as they join the search tokens; where blocks treat the two apart,
        template_qkv float32 [B, T, 3 C], what the first layer that does not needs of them; where candidates are ranked
        by the box, template_weights float32 [B, T]: what each template token counts in the mean, adding up to 1.
        """
        outputs = self._features(self.embed(template))
        if not self.ranks_by_box:
            return outputs
        assert template_box is not None
        mask = box_mask(self.geometry, template_box).to(torch.float32)
        return *outputs, mask / mask.sum(1, keepdim=True)

    def _features(self, tokens: Tensor) -> tuple[Tensor, ...]:
        for block in self.blocks:
            if isinstance(block, FirstRows):
                return tokens, block(tokens)
            assert isinstance(block, FoldedBlock)
            tokens = block(tokens, block.bias(None))
        if self.norm is None or self.relation is None:
            return (tokens,)
        return self.relation(self.norm(tokens))


def ranks_by_box(network: OSTrack) -> bool:
    """Whether the target's box decides which template tokens rank the candidates."""
    return network.geometry.template_tokens is TemplateTokens.BOX and bool(network.geometry.eliminations)
