"""ONNX Runtime on an NVIDIA GPU: its CUDA provider, and its TensorRT provider, which builds engines when it loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..bundle import Bundle
from ..cuda import find_gpu
from ..errors import BackendError, MissingExtraError
from ..extras import installed
from ..manifest import Precision, Recipe
from .base import TargetFeatures, Wanted
from .contract import check_pictures, foreign_features
from .onnxruntime import OnnxRuntimeBackend

CUDA_NAME, TENSORRT_NAME = "onnxruntime-cuda", "onnxruntime-tensorrt"
_CUDA = ("CUDAExecutionProvider", {"device_id": "0", "use_tf32": "0"})
_FLOAT = {Precision.FP16: (Recipe.PLAIN,), Precision.FP32: (Recipe.PLAIN,)}


@dataclass(frozen=True, eq=False)
class _Target:
    """What the template graph gave, where the GPU left it: ONNX Runtime's values by name."""

    values: Mapping[str, Any]


class OnnxRuntimeCudaBackend(OnnxRuntimeBackend):
    """The CUDA provider. Inputs and a target's features lie on the GPU; FP32 is FP32, not TF32."""

    name = CUDA_NAME
    provider: ClassVar[str] = "CUDAExecutionProvider"
    recipes: ClassVar[Mapping[Precision, tuple[Recipe, ...]]] = _FLOAT
    """What it runs, what it takes by itself first."""
    _device = "cuda"

    def __init__(self, bundle: Bundle, wanted: Wanted) -> None:
        """Raises MissingExtraError, BackendError."""
        self._wanted = wanted
        super().__init__(bundle, wanted.precision, wanted.threads)

    @classmethod
    def probe(cls, bundle: Bundle) -> str | None:
        """None where the provider and a GPU are here, or what is missing."""
        if not installed("onnxruntime"):
            return str(MissingExtraError("onnxruntime", f"the {cls.name} backend", "cpu"))
        import onnxruntime

        has = onnxruntime.get_available_providers()
        if cls.provider not in has:
            return (
                f"the ONNX Runtime that is installed was built without {cls.provider} (it has: {', '.join(has)}); "
                "put another in its place with: pip uninstall onnxruntime, then pip install onnxruntime-gpu"
            )
        try:
            find_gpu()
        except BackendError as error:
            return str(error)
        if not cls.precisions(bundle):
            return f"the bundle has no graphs that it runs ({', '.join(map(str, cls.recipes))})"
        return None

    @classmethod
    def precisions(cls, bundle: Bundle) -> tuple[Precision, ...]:
        return tuple(p for p, known in cls.recipes.items() if set(known).intersection(bundle.manifest.recipes(p)))

    def _choose_recipe(self, precision: Precision) -> Recipe:
        if precision not in self.recipes:
            has = ", ".join(map(str, self.recipes))
            raise BackendError(f"{self.name} does not run {precision} graphs; take one of {has}")
        known, have = self.recipes[precision], self._bundle.manifest.recipes(precision)
        if self._wanted.recipe is not None:
            known = tuple(r for r in known if r is self._wanted.recipe) or (self._wanted.recipe,)
        # Where it has none, looking for the file says what there is.
        return next((r for r in known if r in have), known[0])

    def _providers(self) -> list[Any]:
        return [_CUDA]

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        check_pictures(template, "template", self.network.template_size, self.batch)
        binding = self._template.io_binding()
        binding.bind_cpu_input("template", np.ascontiguousarray(template))
        if "template_box" in self._template_inputs:
            binding.bind_cpu_input("template_box", np.ascontiguousarray(template_box, np.float32))
        for name in self._template_outputs:
            binding.bind_output(name, self._device, 0)
        self._template.run_with_iobinding(binding)
        return _Target(dict(zip(self._template_outputs, binding.get_outputs(), strict=True)))

    def _cached(self, features: TargetFeatures) -> Mapping[str, Any]:
        if not isinstance(features, _Target):
            raise foreign_features()
        return features.values

    def describe(self) -> Mapping[str, str]:
        recipe = "" if self._recipe is Recipe.PLAIN else f" ({self._recipe})"
        gpu = find_gpu()
        return {
            **super().describe(),
            "device": f"{gpu.name} ({gpu.target})",
            "provider": self.provider,
            "precision": f"{self._precision}{recipe}",
        }


class OnnxRuntimeTensorrtBackend(OnnxRuntimeCudaBackend):
    """The TensorRT provider. It builds its engines anew whenever it loads, some minutes for a large network: what it
    could keep of them on disk is native code that no manifest vouches for."""

    name = TENSORRT_NAME
    provider = "TensorrtExecutionProvider"
    recipes = {**_FLOAT, Precision.INT8: (Recipe.LINEARS, Recipe.ATTENTION)}  # noqa: RUF012

    def _providers(self) -> list[Any]:
        half, int8 = self._precision is not Precision.FP32, self._precision is Precision.INT8
        options = {
            "device_id": "0",
            # Permission to use what the graph's own types and Q/DQ nodes ask for.
            "trt_fp16_enable": str(half),
            "trt_int8_enable": str(int8),
            "trt_engine_cache_enable": "False",
        }
        # What TensorRT leaves over runs on the GPU too.
        return [(self.provider, options), _CUDA]
