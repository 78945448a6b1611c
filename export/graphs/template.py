"""The graph that runs once per target."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...runtime.network import ColorOrder, TemplateTokens
from ..model import OSTrack
from ..model.elimination import box_mask
from .patches import FoldedPatchEmbedding


class TemplateGraph(nn.Module):
    """Everything about the target that no search region changes."""

    def __init__(self, network: OSTrack, color: ColorOrder) -> None:
        super().__init__()
        geometry = network.geometry
        backbone = network.backbone
        self.geometry = geometry
        self.ranks_by_box = ranks_by_box(network)
        self.embed = FoldedPatchEmbedding(backbone.patch_embed, backbone.pos_embed_z, geometry.template_grid, color)

    @property
    def output_names(self) -> list[str]:
        return ["template_tokens", *(["template_weights"] if self.ranks_by_box else [])]

    def forward(self, template: Tensor, template_box: Tensor | None = None) -> tuple[Tensor, ...]:
        """template: uint8 [B, H, W, 3]; template_box: float32 [B, 4], x, y, w, h in 0..1 of the crop.

        Gives template_tokens float32 [B, T, C] and, where candidates are ranked by the box, template_weights float32
        [B, T]: what each template token counts in the mean, adding up to 1.
        """
        tokens = self.embed(template)
        if not self.ranks_by_box:
            return (tokens,)
        assert template_box is not None
        mask = box_mask(self.geometry, template_box).to(torch.float32)
        return tokens, mask / mask.sum(1, keepdim=True)


def ranks_by_box(network: OSTrack) -> bool:
    """Whether the target's box decides which template tokens rank the candidates."""
    return network.geometry.template_tokens is TemplateTokens.BOX and bool(network.geometry.eliminations)
