"""A recipe: everything about a training that is neither data nor network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from ..runtime.errors import InputError
from .data.augment import PUBLISHED, Augmentation
from .data.crops import Jitter
from .distil import DistilWeights
from .losses import LossWeights, RegressAt
from .targets import CentreCell

MAX_SEED = 2**31
"""With a step and a process's number it still makes one of torch's seeds."""


class Optimizer(str, Enum):
    """adamw: everything, as published. muon: orthogonalised momentum for the blocks' matrices, AdamW for the rest."""

    ADAMW = "adamw"
    MUON = "muon"

    def __str__(self) -> str:
        return self.value


class Schedule(str, Enum):
    """How the learning rate falls: divided by 10 at one epoch, as published; along half a cosine; or straight to 0 from
    an epoch on."""

    STEP = "step"
    COSINE = "cosine"
    LINEAR = "linear"

    def __str__(self) -> str:
        return self.value


class Precision(str, Enum):
    """Arithmetic of the network; weights, losses and optimizer stay float32."""

    FP32 = "32-true"
    BF16 = "bf16-mixed"
    FP16 = "16-mixed"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Optimisation:
    """batch: pairs of one step, over all processes. backbone_factor: the backbone's learning rate is so much lower.
    decay_epoch: where the rate is divided by 10 (step), or begins to fall (linear). clip_norm: of each optimizer's
    gradients; 0 for none. warmup_epochs: the rate rises from 0 over so many. Raises InputError for numbers that make
    no training."""

    batch: int = 128
    epochs: float = 300
    pairs_per_epoch: int = 60_000
    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = 4e-4
    backbone_factor: float = 0.1
    weight_decay: float = 1e-4
    schedule: Schedule = Schedule.STEP
    decay_epoch: float = 240
    warmup_epochs: float = 0
    clip_norm: float = 0.1
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        for name in ("batch", "pairs_per_epoch", "epochs", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}; give a number above 0")
        for name in ("backbone_factor", "weight_decay", "decay_epoch", "warmup_epochs", "clip_norm"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}; give 0 or more")
        if not 0 <= self.drop_path < 1:
            raise InputError(f"drop_path is {self.drop_path}; give a chance from 0 to below 1")

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return max(1, round(self.epochs * self.pairs_per_epoch / self.batch))

    def epoch_at(self, step: int) -> float:
        """Epochs that are over when `step` begins."""
        return step * self.batch / self.pairs_per_epoch


@dataclass(frozen=True)
class Warmup:
    """Candidate elimination in training: none before epoch `start`, the network's keep ratio from epoch `end` on, on a
    cosine between."""

    start: float = 20
    end: float = 100

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end < math.inf:
            raise InputError(
                f"elimination cannot warm up from epoch {self.start:g} to {self.end:g}; give two numbers that rise"
            )


@dataclass(frozen=True)
class Recipe:
    """distillation: of a run with a teacher. max_gap: frames between the two sights of a pair at most. validate_every:
    epochs. Raises InputError for numbers that make no training."""

    optimisation: Optimisation = field(default_factory=Optimisation)
    elimination: Warmup = field(default_factory=Warmup)
    losses: LossWeights = field(default_factory=LossWeights)
    distillation: DistilWeights = field(default_factory=DistilWeights)
    regress_at: RegressAt = RegressAt.PEAK
    centre_cell: CentreCell = CentreCell.ROUND
    jitter: Jitter = field(default_factory=lambda: Jitter(3.0, 0.25))
    augmentation: Augmentation = PUBLISHED
    max_gap: int = 200
    precision: Precision = Precision.FP32
    validate_every: float = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_gap < 1:
            raise InputError(f"max_gap is {self.max_gap}; give a number of frames from 1")
        if not self.validate_every > 0:
            raise InputError(f"validate_every is {self.validate_every}; give a number of epochs above 0")
        if not 0 <= self.seed < MAX_SEED:
            raise InputError(f"the seed is {self.seed}; give a number from 0 to below {MAX_SEED}")
