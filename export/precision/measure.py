"""The sensitivity of a bundle's search graph, from its FP32 files."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from ...runtime.bundle import Bundle
from ...runtime.manifest import GraphRole, Precision, Recipe
from .add import Say, gather_crops
from .agree import Pair
from .make import SENSITIVITY_CROPS, Quantiser
from .plan import Calibrating
from .sensitivity import Sensitivity


@dataclass(frozen=True)
class SensitivityReport:
    """parts: the costliest first; all_drop, all_same_cell: of everything in INT8; crops: that each was measured on."""

    parts: tuple[Sensitivity, ...]
    all_drop: float
    all_same_cell: float
    crops: int


def measure_sensitivity(
    bundle: Bundle, recipe: Recipe, calibrating: Calibrating, by_block: bool, say: Say
) -> SensitivityReport:
    """Every Linear, or block, alone in INT8 against FP32. Raises FootageError and what the graphs raise."""
    crops = gather_crops(bundle, calibrating, say)
    graphs = [bundle.manifest.graph(role, Precision.FP32) for role in (GraphRole.TEMPLATE, GraphRole.SEARCH)]
    full = Pair(*(onnx.load(bundle.path(graph)) for graph in graphs))
    quantiser = Quantiser(full, crops, bundle.manifest.batch, calibrating.method, say)
    trial = quantiser.trial(recipe, quantiser.ranges(recipe))

    def progress(done: int, count: int) -> None:
        say(f"measuring each part: {done} of {count}")

    parts = trial.rank(by_block, progress)
    drop, same_cell = trial.drop(())
    return SensitivityReport(tuple(parts), drop, same_cell, min(SENSITIVITY_CROPS, len(crops.seen)))
