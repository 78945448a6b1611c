"""What changes over a training: the learning rate, and how many candidates are kept."""

from __future__ import annotations

import math

from ..runtime.network import NetworkGeometry
from .recipe import Optimisation, Schedule, Warmup

DECAY = 0.1
"""What the step schedule multiplies the rate by."""


def rate_factor(step: int, how: Optimisation) -> float:
    """What the learning rate is multiplied by in `step`, counted from 0."""
    epoch = how.epoch_at(step)
    rise = min(1.0, (step + 1) * how.batch / (how.warmup_epochs * how.pairs_per_epoch)) if how.warmup_epochs else 1.0
    if how.schedule is Schedule.STEP:
        return rise * (DECAY if epoch >= how.decay_epoch else 1.0)
    if how.schedule is Schedule.COSINE:
        return rise * (1 + math.cos(math.pi * step / how.steps)) / 2
    if epoch <= how.decay_epoch:
        return rise
    return rise * max(0.0, (how.epochs - epoch) / (how.epochs - how.decay_epoch))


def keep_ratio(epoch: float, warmup: Warmup, final: float) -> float:
    """The keep ratio in an epoch: 1 before the warm-up, `final` after it, along half a cosine between, as released."""
    if epoch < warmup.start:
        return 1.0
    if epoch >= warmup.end:
        return final
    done = (epoch - warmup.start) / (warmup.end - warmup.start)
    return final + (1 - final) * (1 + math.cos(math.pi * done)) / 2


def eliminations(geometry: NetworkGeometry, epoch: float, warmup: Warmup) -> dict[int, int]:
    """Search tokens kept at each block that drops some, in a given epoch of training."""
    left, stages = geometry.search_token_count, {}
    for block, final in zip(geometry.elimination_blocks, geometry.keep_ratios, strict=True):
        kept = math.ceil(keep_ratio(epoch, warmup, final) * left)
        if kept < left:
            stages[block] = kept
        left = kept
    return stages
