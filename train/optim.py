"""Which weights learn how fast, by which rule."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from ..runtime.errors import InputError
from .recipe import Optimisation, Precision
from .recipe import Optimizer as Rule

BASE_RATE = "base_rate"
"""Name of a parameter group's learning rate before the schedule."""

_UNDECAYED = ("pos_embed", "cls_token")


def make_optimizers(module: nn.Module, how: Optimisation, precision: Precision) -> list[Optimizer]:
    """AdamW over everything, or Muon for the blocks' matrices and AdamW for the rest.

    Weights whose name holds `backbone.` learn at `backbone_factor` of the rate. Under Muon, vectors and embeddings do
    not decay. Raises InputError for Muon in 16-mixed, whose gradients are scaled for one optimizer.
    """
    named = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    if how.optimizer is Rule.ADAMW:
        return [AdamW(_groups(named, how), lr=how.learning_rate, weight_decay=how.weight_decay)]
    if precision is Precision.FP16:
        raise InputError("muon does not train in 16-mixed; choose bf16-mixed, or the optimizer adamw")
    matrices = [(name, value) for name, value in named if value.ndim == 2 and ".blocks." in name]
    chosen = {name for name, _ in matrices}
    rest = [(name, value) for name, value in named if name not in chosen]
    decayed = [(n, v) for n, v in rest if v.ndim > 1 and not any(part in n for part in _UNDECAYED)]
    plain = [(n, v) for n, v in rest if not (v.ndim > 1 and not any(part in n for part in _UNDECAYED))]
    adamw = _groups(decayed, how) + [{**group, "weight_decay": 0.0} for group in _groups(plain, how)]
    return [
        # Scaled so that a step is as large as AdamW's: one learning rate serves both (Liu et al. 2025).
        Muon(
            _groups(matrices, how), lr=how.learning_rate, weight_decay=how.weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        AdamW(adamw, lr=how.learning_rate, weight_decay=how.weight_decay, betas=(0.9, 0.95)),
    ]


def set_rates(optimizers: list[Optimizer], factor: float) -> None:
    """Every group's learning rate, `factor` times what it was given."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group[BASE_RATE] * factor


def _groups(named: list[tuple[str, torch.nn.Parameter]], how: Optimisation) -> list[dict]:
    groups = []
    for of_backbone in (False, True):
        values = [value for name, value in named if ("backbone." in name) is of_backbone]
        rate = how.learning_rate * (how.backbone_factor if of_backbone else 1.0)
        if values:
            groups.append({"params": values, "lr": rate, BASE_RATE: rate})
    return groups
