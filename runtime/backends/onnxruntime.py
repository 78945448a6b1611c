"""ONNX Runtime on the CPU; `onnxruntime_gpu` has its providers for GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..errors import BackendError, MissingExtraError
from ..extras import installed
from ..manifest import GraphFile, GraphRole, Precision, Recipe
from ..network import ColorOrder, NetworkGeometry
from .base import SearchResult, TargetFeatures, Wanted
from .contract import Tensors, check_pictures, check_targets, check_tensors, foreign_features, output_names
from .onnxruntime_binding import CPU, SearchBinding

NAME = "onnxruntime"


def probe(bundle: Bundle) -> str | None:
    """None where ONNX Runtime is installed, otherwise what to install."""
    if not installed("onnxruntime"):
        return str(MissingExtraError("onnxruntime", "the ONNX Runtime backend", "cpu"))
    return None


def precisions(bundle: Bundle) -> tuple[Precision, ...]:
    """FP32, and INT8 where the bundle has graphs of the `cpu` recipe.

    FP16 is left out: ONNX Runtime's CPU kernels compute it in FP32, so it would be slower and prove nothing.
    """
    recipes = {p: bundle.manifest.recipes(p) for p in (Precision.FP32, Precision.INT8)}
    return tuple(p for p, found in recipes.items() if _RECIPES[p] in found)


_RECIPES = {Precision.FP32: Recipe.PLAIN, Precision.INT8: Recipe.CPU}


class OnnxRuntimeBackend:
    """Runs the bundle's ONNX files on the CPU, with inputs and outputs in buffers that are bound once."""

    name = NAME
    _device = CPU

    def __init__(self, bundle: Bundle, precision: Precision = Precision.FP32, threads: int | None = None) -> None:
        """Raises MissingExtraError, or BackendError where ONNX Runtime does not take a file."""
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtraError("onnxruntime", "the ONNX Runtime backend", "cpu") from None
        self._ort: Any = onnxruntime
        self._bundle = bundle
        self._precision = precision
        self._recipe = self._choose_recipe(precision)
        self._threads = threads
        self._timings: dict[str, float] = {}
        self._template = self._session(GraphRole.TEMPLATE)
        self._search = self._session(GraphRole.SEARCH)
        self._template_inputs = [i.name for i in self._template.get_inputs()]
        self._template_outputs = [o.name for o in self._template.get_outputs()]
        self._outputs = output_names(self.network)
        self._check_graphs()
        self._binding: SearchBinding | None = None

    def _choose_recipe(self, precision: Precision) -> Recipe:
        """Which graphs of a precision are run. Raises BackendError for one that this engine does not run."""
        if precision not in _RECIPES:
            raise BackendError(
                f"ONNX Runtime computes {precision} in FP32 on a CPU, slower than the FP32 graphs themselves; "
                "take fp32 or int8"
            )
        return _RECIPES[precision]

    def _source(self, path: Path, options: Any) -> str | bytes:
        """What a session is made from: the file as it is."""
        return str(path)

    def _check_graphs(self) -> None:
        check_tensors(self._bundle, self.batch, _tensors(self._template), _tensors(self._search))

    @property
    def network(self) -> NetworkGeometry:
        return self._bundle.manifest.network

    @property
    def color(self) -> ColorOrder:
        return self._bundle.manifest.color

    @property
    def batch(self) -> int | None:
        return self._bundle.manifest.batch

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return self._timings

    def describe(self) -> Mapping[str, str]:
        options = self._search.get_session_options()
        return {
            "library": f"onnxruntime {self._ort.__version__}",
            "device": "cpu",
            "threads": str(options.intra_op_num_threads or "one per core"),
            "precision": str(self._precision),
        }

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        check_pictures(template, "template", self.network.template_size, self.batch)
        feeds = {"template": np.ascontiguousarray(template)}
        if "template_box" in self._template_inputs:
            feeds["template_box"] = np.ascontiguousarray(template_box, np.float32)
        arrays = self._template.run(self._template_outputs, feeds)
        return dict(zip(self._template_outputs, arrays, strict=True))

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        cached = self._cached(features)
        check_pictures(search, "search", self.network.search_size, self.batch)
        for value in cached.values():
            check_targets(value.shape[0] if isinstance(value, np.ndarray) else value.shape()[0], len(search))
        start = perf_counter()
        if self._binding is None or self._binding.batch != len(search):
            self._binding = SearchBinding(
                self._ort, self._search, self._outputs, self.network, len(search), self._device
            )
        self._binding.fill(cached, search, window)
        filled = perf_counter()
        self._search.run_with_iobinding(self._binding.io)
        done = perf_counter()
        self._timings = {"copy": (filled - start) * 1e3, "inference": (done - filled) * 1e3}
        return self._binding.result

    def _cached(self, features: TargetFeatures) -> Mapping[str, Any]:
        """What the template graph gave. Raises InputError for what another engine did."""
        if not isinstance(features, dict):
            raise foreign_features()
        return features

    def _session(self, role: GraphRole) -> Any:
        file: GraphFile = self._bundle.manifest.graph(role, self._precision, self._recipe)
        path: Path = self._bundle.path(file)
        options = self._ort.SessionOptions()
        options.log_severity_level = 3
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        if role is GraphRole.TEMPLATE:
            # It runs once per target; its idle threads must not take the search session's cores.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = self._providers()
        try:
            session = self._ort.InferenceSession(self._source(path, options), options, providers=providers)
        except Exception as error:  # its own errors share no base class
            raise BackendError(f"ONNX Runtime {self._ort.__version__} does not load {path}: {error}") from error
        first = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if session.get_providers()[0] != first:
            # It goes on with another by itself; an engine that was asked for never falls back.
            raise BackendError(
                f"ONNX Runtime {self._ort.__version__} cannot use its {first} here and would run {path.name} with "
                f"{session.get_providers()[0]}: its log says what is missing, mostly the CUDA, cuDNN or TensorRT "
                "libraries of the version that it was built for"
            )
        return session

    def _providers(self) -> list[Any]:
        """Of a session, the one that must serve first."""
        return ["CPUExecutionProvider"]


def load(bundle: Bundle, wanted: Wanted) -> OnnxRuntimeBackend:
    """Raises MissingExtraError, BackendError."""
    if wanted.recipe not in (None, _RECIPES.get(wanted.precision)):
        raise BackendError(f"ONNX Runtime's CPU kernels are not made for {wanted.precision} ({wanted.recipe}) graphs")
    return OnnxRuntimeBackend(bundle, wanted.precision, wanted.threads)


def _tensors(session: Any) -> Tensors:
    def shapes(values: Any) -> dict[str, list[int | None]]:
        return {v.name: [n if isinstance(n, int) else None for n in v.shape] for v in values}

    return Tensors(shapes(session.get_inputs()), shapes(session.get_outputs()))
