"""The network in training: pairs in, losses out, in one forward call that several processes can share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..export.graphs.patches import IMAGENET_MEAN, IMAGENET_STD
from ..export.model import OSTrack
from ..export.model.elimination import box_mask, default_mask
from ..export.model.network import BlockState
from .data.pairs import Batch
from .guidance import overlap_with_cells, ranking_loss
from .losses import tracking_loss
from .recipe import Recipe

FIRST_GUIDED = 0.25
"""Guidance begins so far into the network: before, tokens know little but themselves."""


class Exact:
    """Carries a batch into `Trainee` as it is: Fabric rounds every float among a module's arguments to the precision
    of its arithmetic, and in bfloat16 a box strays by half a pixel."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class Trainee(nn.Module):
    """A network with its losses. `forward` gives the terms by name, means over the batch, "loss" their weighted sum."""

    def __init__(self, network: OSTrack, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        # The plain ViT's, which a tracker never reads: DistributedDataParallel waits for every weight's gradient.
        network.backbone.cls_token.requires_grad_(False)
        network.backbone.pos_embed.requires_grad_(False)
        self._recipe = recipe
        blocks = network.backbone.ordered_blocks
        for number, block in enumerate(blocks):
            # Rises with depth, as in the released backbone.
            block.drop_path = recipe.optimisation.drop_path * number / max(1, len(blocks) - 1)

    def forward(self, batch: Batch | Exact, eliminations: Mapping[int, int]) -> dict[str, Tensor]:
        batch = batch.batch if isinstance(batch, Exact) else batch
        template, search = normalised(batch.template), normalised(batch.search)
        mask = ranking_mask(self.network, batch.template_box)
        guided: list[Tensor] = []
        overlap = overlap_with_cells(batch.box, self.network.geometry.search_grid)
        first = round(FIRST_GUIDED * self.network.geometry.depth)

        def guide(number: int, state: BlockState) -> None:
            if number >= first:
                guided.append(ranking_loss(state.softmax, mask, state.seen, overlap))

        watch = guide if self._recipe.losses.guidance else None
        maps = self.network(template, search, mask, eliminations=eliminations, watch=watch)
        found = tracking_loss(maps, batch.box, self._recipe.centre_cell, self._recipe.regress_at)
        terms = {**found._asdict()}
        if guided:
            terms["guidance"] = torch.stack(guided).mean()
        weights = self._recipe.losses
        parts = [getattr(weights, name) * terms[name] for name in ("focal", "giou", "l1", "guidance") if name in terms]
        return {"loss": torch.stack(parts).sum(), **terms}


def normalised(pictures: Tensor) -> Tensor:
    """uint8 [B, H, W, 3], BGR, to the network's input: float32 [B, 3, H, W], red first."""
    mean = torch.tensor(IMAGENET_MEAN, device=pictures.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=pictures.device).view(1, 3, 1, 1)
    return (pictures.flip(3).permute(0, 3, 1, 2).float() / 255 - mean) / std


def ranking_mask(network: OSTrack, template_box: Tensor) -> Tensor:
    """The template tokens that rank: bool [B, T]. template_box: float32 [B, 4], x, y, w, h in 0..1 of the template."""
    geometry = network.geometry
    if not geometry.ranking_rows:
        return box_mask(geometry, template_box)
    return default_mask(geometry, len(template_box), template_box.device)
