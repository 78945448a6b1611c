"""Distillation: a small tracker learns from what a large one sees in the same pair of crops.

Three things can be followed. The score map, which also says where the teacher hesitates; the box at the teacher's
peak, which is there where the truth is a little off too; and the final search tokens, through a linear map that is
learnt beside the network and left behind with the training. The teacher keeps every candidate: one that it drops would
teach nothing about a place that the student still looks at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..export.model import NetworkOutput, OSTrack
from ..export.model.head import box_at, decode
from ..export.model.network import BlockState
from ..runtime.errors import InputError
from ..runtime.network import NetworkGeometry
from .losses import box_iou

FOCUS = 2
"""Exponent of the score loss: how little cells count that are nearly right."""

GIOU, L1 = 2.0, 5.0
"""Weights of the two inside the box loss, as published for the truth."""


@dataclass(frozen=True)
class DistilWeights:
    """Weights of `score_loss`, `box_loss` and `token_loss` beside the losses of the truth; all 0 without a teacher."""

    score: float = 0.0
    box: float = 0.0
    tokens: float = 0.0

    def __post_init__(self) -> None:
        for name in ("score", "box", "tokens"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"the distillation weight {name} is {value}; give 0 or more")

    @property
    def any(self) -> bool:
        return self.score > 0 or self.box > 0 or self.tokens > 0


EVERYTHING = DistilWeights(1.0, 1.0, 1.0)
"""What a teacher teaches where nothing else is said."""


class Sight(NamedTuple):
    """What the teacher sees. score float32 [B, 1, F, F]; box [B, 4], corners in 0..1 of the crop, at its highest cell,
    cut to the crop; sure [B], that cell's score; tokens [B, C, F, F], each with mean 0 and variance 1."""

    score: Tensor
    box: Tensor
    sure: Tensor
    tokens: Tensor


class Teacher:
    """A trained network to learn from. Not a module, so that its weights are no part of who learns."""

    def __init__(self, network: OSTrack) -> None:
        self._network = network.eval().requires_grad_(False)

    @property
    def geometry(self) -> NetworkGeometry:
        return self._network.geometry

    @torch.no_grad()
    def look(self, template: Tensor, search: Tensor) -> Sight:
        """template, search: normalised float32 [B, 3, H, W] of the teacher's own sizes."""
        network, last = self._network.to(template.device), self.geometry.depth - 1
        final: list[Tensor] = []

        def keep_last(number: int, state: BlockState) -> None:
            if number == last:
                final.append(final_tokens(network, state))

        maps = network(template, search, eliminations={}, watch=keep_last)
        box, _ = decode(maps.score_map, maps.size_map, maps.offset_map)
        tokens = F.layer_norm(final[0].float(), final[0].shape[2:]).transpose(1, 2)
        grid = self.geometry.search_grid
        return Sight(
            maps.score_map,
            _corners(box).clamp(0, 1),
            maps.score_map.flatten(1).amax(1),
            tokens.reshape(len(tokens), -1, grid, grid),
        )


class TokenMap(nn.Linear):
    """From the student's channels to the teacher's. Part of the training, not of the network."""

    def __init__(self, student: NetworkGeometry, teacher: NetworkGeometry, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            super().__init__(student.width, teacher.width)


def check_teacher(student: NetworkGeometry, teacher: NetworkGeometry) -> None:
    """Raises InputError where the two do not look at the same piece of the picture."""
    for part in ("template", "search"):
        own, other = getattr(student, f"{part}_factor"), getattr(teacher, f"{part}_factor")
        if own != other:
            raise InputError(
                f"the teacher's {part} crops are {other:g} times as wide as the target, the student's {own:g} times: "
                f"they would not see the same; train with --{part}-factor {other:g}, or choose another teacher"
            )


def crops_for(student: NetworkGeometry, teacher: NetworkGeometry | None) -> NetworkGeometry:
    """The student's geometry with the sizes that pairs are cut at: the larger ones, so that nothing is enlarged."""
    if teacher is None:
        return student
    return replace(
        student,
        template_size=max(student.template_size, teacher.template_size),
        search_size=max(student.search_size, teacher.search_size),
    )


def reduced(pictures: Tensor, size: int) -> Tensor:
    """Square pictures float32 [B, C, S, S] at another size: each new pixel is the mean of the area that it covers."""
    old = pictures.shape[-1]
    if old == size:
        return pictures
    edges = torch.arange(size, device=pictures.device, dtype=torch.float32)[:, None] * (old / size)
    pixels = torch.arange(old, device=pictures.device, dtype=torch.float32)
    covered = torch.minimum(edges + old / size, pixels + 1) - torch.maximum(edges, pixels)
    shares = covered.clamp_min(0) * (size / old)
    # Half precision would blur the levels of eight bits.
    with torch.autocast(pictures.device.type, enabled=False):
        return shares @ pictures @ shares.T


def final_tokens(network: OSTrack, state: BlockState) -> Tensor:
    """The search tokens as the head takes them, of those still there: [B, k, C]. state: after the last block."""
    return network.backbone.norm(state.tokens[:, network.geometry.template_token_count :])


def score_loss(score: Tensor, target: Tensor) -> Tensor:
    """Quality focal loss (Li et al., Generalized Focal Loss, 2020), a scalar.

    L = -|t - p|^2 (t log(p) + (1 - t) log(1 - p)), summed over cells, mean over samples. It is least where p = t. The
    published focal loss has no place for a teacher's 0.8: it wants 1 at one cell and less everywhere else. Plain
    cross-entropy would be least at p = t too, but lets hundreds of empty cells outweigh the few that matter.

    score p, in (0, 1): float32 [B, 1, F, F]; target t, as the teacher gives it, of any grid. Reduced to fewer cells, a
    cell takes the highest score that it covers: a mean would teach half of the teacher's peak, beside a truth that asks
    for 1.
    """
    grid = score.shape[-1]
    if target.shape[-1] > grid:
        target = F.adaptive_max_pool2d(target, grid)
    elif target.shape[-1] < grid:
        target = F.interpolate(target, size=(grid, grid), mode="bilinear", align_corners=False)
    entropy = -(target * score.log() + (1 - target) * (1 - score).log())
    return ((target - score).abs() ** FOCUS * entropy).sum() / len(score)


def box_loss(maps: NetworkOutput, sight: Sight) -> Tensor:
    """2 (1 - GIoU) + 5 L1 of the student's box at the cell of the teacher's, weighted by how sure the teacher is."""
    grid = maps.score_map.shape[-1]
    centre = (sight.box[:, :2] + sight.box[:, 2:]) / 2
    place = (centre * grid).long().clamp(0, grid - 1)
    found = _corners(box_at(maps.size_map, maps.offset_map, place[:, 1] * grid + place[:, 0], grid))
    apart = GIOU * (1 - box_iou(found, sight.box)[1]) + L1 * (found - sight.box).abs().mean(1)
    return (sight.sure * apart).mean()


def token_loss(mapped: Tensor, places: Tensor, tokens: Tensor, grid: int) -> Tensor:
    """Mean square of the differences to the teacher's tokens, of the candidates that the student still has.

    mapped: float [B, k, C], the student's through the linear map; places: int64 [B, k], where they stand in its grid of
    `grid` x `grid`; tokens: float32 [B, C, F, F], the teacher's.
    """
    if tokens.shape[-1] > grid:
        tokens = F.adaptive_avg_pool2d(tokens, grid)
    elif tokens.shape[-1] < grid:
        tokens = F.interpolate(tokens, size=(grid, grid), mode="bilinear", align_corners=False)
    wanted = tokens.flatten(2).transpose(1, 2)
    wanted = wanted.gather(1, places[:, :, None].expand(-1, -1, wanted.shape[2]))
    return (mapped.float() - wanted).square().mean()


def fitted(pictures: Sequence[Tensor], geometry: NetworkGeometry) -> tuple[Tensor, Tensor]:
    """Template and search pictures, normalised float32 [B, 3, S, S], at the sizes of a network."""
    template, search = pictures
    return reduced(template, geometry.template_size), reduced(search, geometry.search_size)


def _corners(box: Tensor) -> Tensor:
    """float [B, 4] from centre x, centre y, w, h to x1, y1, x2, y2."""
    return torch.cat([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], 1)
