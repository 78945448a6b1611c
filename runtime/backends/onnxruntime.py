"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..errors import BackendError, InputError, MissingExtraError
from ..extras import installed
from ..manifest import GraphFile, GraphRole, Precision, Recipe
from ..network import ColorOrder, NetworkGeometry
from .base import SearchResult, TargetFeatures

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
        self._outputs = ["box", "score", *(f"kept_{i}" for i in range(len(self.network.kept_counts)))]
        self._check_graphs()
        self._binding: _SearchBinding | None = None

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
        """Hold the graphs' tensors against the manifest. Raises BackendError naming the first that does not fit."""
        network, batch = self.network, self.batch
        t, s, f = network.template_size, network.search_size, network.search_grid
        wanted: dict[str, list[int | None]] = {
            "template": [batch, t, t, 3],
            "template_box": [batch, 4],
            "search": [batch, s, s, 3],
            "window": [f, f],
            "box": [batch, 4],
            "score": [batch],
            **{f"kept_{i}": [batch, count] for i, count in enumerate(network.kept_counts)},
        }
        produced = {o.name: o for o in self._template.get_outputs()}
        given = {o.name: o for o in self._search.get_outputs()}
        values = [*self._template.get_inputs(), *self._search.get_inputs(), *given.values()]
        for value in values:
            shape = [n if isinstance(n, int) else None for n in value.shape]
            cached = produced.get(value.name)
            if cached is not None and cached.shape != value.shape and batch is not None:
                raise self._unfit(f"{value.name} is {cached.shape} in one graph and {value.shape} in the other")
            if value.name in wanted and shape != wanted[value.name]:
                raise self._unfit(f"{value.name} is {value.shape}, the manifest says {wanted[value.name]}")
        stages = {name for name in given if name.startswith("kept_")}
        missing = set(self._outputs) - given.keys()
        if missing or stages - set(self._outputs):
            raise self._unfit(f"its outputs are {', '.join(given)}, the manifest says {', '.join(self._outputs)}")

    def _unfit(self, what: str) -> BackendError:
        return BackendError(
            f"the graphs of {self._bundle.folder} do not fit its manifest ({what}); build the bundle again"
        )

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
        _check_pictures(template, "template", self.network.template_size)
        self._check_batch(template)
        feeds = {"template": np.ascontiguousarray(template)}
        if "template_box" in self._template_inputs:
            feeds["template_box"] = np.ascontiguousarray(template_box, np.float32)
        arrays = self._template.run(self._template_outputs, feeds)
        return dict(zip(self._template_outputs, arrays, strict=True))

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        if not isinstance(features, dict):
            raise InputError("the features were made by another backend; call embed_template of this one")
        size = self.network.search_size
        _check_pictures(search, "search", size)
        self._check_batch(search)
        if any(len(array) != len(search) for array in features.values()):
            raise InputError(f"{len(search)} search regions for features of another number of targets; give one each")
        start = perf_counter()
        if self._binding is None or self._binding.batch != len(search):
            self._binding = _SearchBinding(self._ort, self._search, self._outputs, self.network, len(search))
        self._binding.fill(features, search, window)
        filled = perf_counter()
        self._search.run_with_iobinding(self._binding.io)
        done = perf_counter()
        result = self._binding.result
        self._timings = {"copy": (filled - start) * 1e3, "inference": (done - filled) * 1e3}
        return result

    def _check_batch(self, pictures: np.ndarray) -> None:
        if self.batch not in (None, len(pictures)):
            raise InputError(f"the bundle's graphs take a batch of {self.batch}, not {len(pictures)}")

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
        try:
            return self._ort.InferenceSession(self._source(path, options), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own errors share no base class
            raise BackendError(f"ONNX Runtime {self._ort.__version__} does not load {path}: {error}") from error


def _check_pictures(pictures: np.ndarray, name: str, size: int) -> None:
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (size, size, 3):
        raise InputError(f"{name} must be uint8 [B, {size}, {size}, 3], not {pictures.dtype} {list(pictures.shape)}")


class _SearchBinding:
    """Fixed input and output buffers of the search session for one batch size."""

    def __init__(self, ort: Any, session: Any, outputs: Sequence[str], network: NetworkGeometry, batch: int) -> None:
        self.batch = batch
        self.io = session.io_binding()
        self._buffers: dict[str, np.ndarray] = {}
        self._values: list[Any] = []
        # The features' shapes are the graph's own: what a design caches of its target is its own affair.
        for item in session.get_inputs():
            shape = [batch if not isinstance(n, int) else n for n in item.shape]
            dtype = {"tensor(uint8)": np.uint8, "tensor(float16)": np.float16}.get(item.type, np.float32)
            self._buffers[item.name] = buffer = np.zeros(shape, dtype)
            value = ort.OrtValue.ortvalue_from_numpy(buffer)
            self.io.bind_ortvalue_input(item.name, value)
            self._values.append(value)
        found: dict[str, np.ndarray] = {}
        for name in outputs:
            shape, dtype = [batch, 4] if name == "box" else [batch], np.float32
            if name.startswith("kept_"):
                shape, dtype = [batch, network.kept_counts[int(name[5:])]], np.int32
            found[name] = np.zeros(shape, dtype)
            value = ort.OrtValue.ortvalue_from_numpy(found[name])
            self.io.bind_ortvalue_output(name, value)
            self._values.append(value)
        self.result = SearchResult(found["box"], found["score"], tuple(found[n] for n in outputs[2:]))
        self._features: object = None

    def fill(self, features: dict[str, np.ndarray], search: np.ndarray, window: np.ndarray) -> None:
        np.copyto(self._buffers["search"], search, casting="no")
        np.copyto(self._buffers["window"], window, casting="no")
        if features is not self._features:
            for name, array in features.items():
                np.copyto(self._buffers[name], array)
            self._features = features
