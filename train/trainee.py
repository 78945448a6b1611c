"""The network in training: pairs in, losses out, in one forward call that several processes can share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..export.graphs.patches import IMAGENET_MEAN, IMAGENET_STD
from ..export.model import NetworkOutput, OSTrack
from ..export.model.elimination import box_mask, default_mask
from ..export.model.network import BlockState
from .data.pairs import Batch
from .distil import Teacher, TokenMap, box_loss, final_tokens, fitted, score_loss, token_loss
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

    def __init__(self, network: OSTrack, recipe: Recipe, teacher: Teacher | None = None) -> None:
        super().__init__()
        self.network = network
        self._teacher = teacher
        self.token_map = None
        if teacher is not None and recipe.distillation.tokens:
            self.token_map = TokenMap(network.geometry, teacher.geometry, recipe.seed)
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
        geometry = self.network.geometry
        pictures = normalised(batch.template), normalised(batch.search)
        template, search = fitted(pictures, geometry)
        mask = ranking_mask(self.network, batch.template_box)
        guided: list[Tensor] = []
        final: list[BlockState] = []
        overlap = overlap_with_cells(batch.box, geometry.search_grid)
        # Where template and search are treated apart there is no ranking to guide.
        first = max(round(FIRST_GUIDED * geometry.depth), geometry.separate_blocks)

        def watch(number: int, state: BlockState) -> None:
            if self._recipe.losses.guidance and number >= first:
                guided.append(ranking_loss(state.softmax, mask, state.seen, overlap))
            if self._teacher is not None and number == geometry.depth - 1:
                final.append(state)

        maps = self.network(template, search, mask, eliminations=eliminations, watch=watch)
        found = tracking_loss(maps, batch.box, self._recipe.centre_cell, self._recipe.regress_at)
        terms = {**found._asdict()}
        if guided:
            terms["guidance"] = torch.stack(guided).mean()
        weights = self._recipe.losses
        parts = [getattr(weights, name) * terms[name] for name in ("focal", "giou", "l1", "guidance") if name in terms]
        if self._teacher is not None:
            lessons = self._lessons(self._teacher, pictures, maps, final[0])
            parts += [getattr(self._recipe.distillation, name) * value for name, value in lessons.items()]
            terms |= {f"distil_{name}": value for name, value in lessons.items()}
        return {"loss": torch.stack(parts).sum(), **terms}

    def _lessons(
        self, teacher: Teacher, pictures: tuple[Tensor, Tensor], maps: NetworkOutput, final: BlockState
    ) -> dict[str, Tensor]:
        """What the student has yet to learn from its teacher, by the names of the weights."""
        sight = teacher.look(*fitted(pictures, teacher.geometry))
        lessons = {"score": score_loss(maps.score_map, sight.score), "box": box_loss(maps, sight)}
        if self.token_map is not None:
            mapped = self.token_map(final_tokens(self.network, final))
            lessons["tokens"] = token_loss(mapped, final.left, sight.tokens, self.network.geometry.search_grid)
        return lessons


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
