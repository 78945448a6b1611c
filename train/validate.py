"""How well a network finds targets that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..export.model import OSTrack
from ..export.model.head import decode
from .data.augment import Augmentation
from .data.crops import Jitter
from .data.pairs import Batch, Pairs, Weighted, collate
from .losses import box_iou, corners
from .trainee import normalised, ranking_mask

PLAIN = Augmentation(grayscale=0, flip=0, flip_each=0, brightness=0)
"""Pictures as they are."""

THRESHOLDS = np.arange(21) / 20

_CHUNK = 64
_SEED = 1


@dataclass(frozen=True)
class Scores:
    """mean_iou; auc: mean over 21 thresholds of the share of pairs above; precise: share with the centre within half a
    cell of the truth's, along both axes; pairs: how many there were. All but the last 0..1."""

    mean_iou: float
    auc: float
    precise: float
    pairs: int


def validation_pairs(sources: Sequence[Weighted], network: OSTrack, jitter: Jitter) -> Pairs:
    """The pairs of a validation: the same for every network of the same crop sizes."""
    return Pairs(sources, network.geometry, jitter, PLAIN, _SEED)


@torch.no_grad()
def validate(network: OSTrack, pairs: Pairs, count: int, eliminations: Mapping[int, int] | None = None) -> Scores:
    """Look for the targets of the first `count` pairs; the highest score decides, without a window.

    eliminations: search tokens kept by block; None keeps what the network's geometry keeps.
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    overlaps, near = [], []
    for batch in _batches(pairs, count):
        batch = Batch._make(tensor.to(device) for tensor in batch)
        maps = network(
            normalised(batch.template),
            normalised(batch.search),
            ranking_mask(network, batch.template_box),
            eliminations=eliminations,
        )
        found = decode(maps.score_map, maps.size_map, maps.offset_map)[0]
        overlaps.append(_overlap(found, batch.box))
        apart = (found[:, :2] - batch.box[:, :2] - batch.box[:, 2:] / 2).abs().amax(1)
        near.append(apart <= 0.5 / network.geometry.search_grid)
    network.train(was_training)
    return scores(torch.cat(overlaps).cpu().numpy(), torch.cat(near).cpu().numpy())


def scores(overlaps: np.ndarray, near: np.ndarray) -> Scores:
    """From IoU float [N] and nearness bool [N]."""
    above = overlaps[:, None] > THRESHOLDS
    return Scores(float(overlaps.mean()), float(above.mean()), float(near.mean()), len(overlaps))


def _batches(pairs: Pairs, count: int) -> Iterator[Batch]:
    for first in range(0, count, _CHUNK):
        yield collate([pairs[number] for number in range(first, min(first + _CHUNK, count))])


def _overlap(found: Tensor, box: Tensor) -> Tensor:
    corner = torch.cat([found[:, :2] - found[:, 2:] / 2, found[:, 2:]], 1)
    return box_iou(corners(corner), corners(box).clamp(0, 1))[0]
