"""The GPU's FP16 and INT8 graphs behind the runtime's Backend Protocol, emulated on a CPU: to measure, not to run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from ...runtime.backends.onnxruntime import OnnxRuntimeBackend
from ...runtime.bundle import Bundle
from ...runtime.errors import BackendError
from ...runtime.manifest import Precision, Recipe
from .emulate import emulated

NAME = "emulated"

_RECIPES = {Precision.FP16: (Recipe.PLAIN,), Precision.INT8: (Recipe.LINEARS, Recipe.ATTENTION)}
"""Those that are emulated, the first that a bundle has."""


def precisions(bundle: Bundle) -> tuple[Precision, ...]:
    """The precisions of the bundle whose GPU graphs can be emulated."""
    return tuple(p for p, recipes in _RECIPES.items() if set(recipes).intersection(bundle.manifest.recipes(p)))


class EmulatedBackend(OnnxRuntimeBackend):
    """Every result of an FP16 node is rounded to half, Q/DQ nodes run in float (see `emulate`). Slow, and exact about
    what a GPU's rounding does; the order in which a GPU adds up is its own."""

    name = NAME

    def _choose_recipe(self, precision: Precision) -> Recipe:
        have = self._bundle.manifest.recipes(precision)
        for recipe in _RECIPES.get(precision, ()):
            if recipe in have:
                return recipe
        raise BackendError(
            f"{self._bundle.folder} has no graphs in {precision} that could be emulated; emulated are fp16 and int8, "
            "build them with: ostrack-export build --precision fp16,int8"
        )

    def _source(self, path: Path, options: Any) -> str | bytes:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        return emulated(onnx.load(path)).SerializeToString()

    def describe(self) -> Mapping[str, str]:
        return {**super().describe(), "precision": f"{self._precision} ({self._recipe}), emulated"}
