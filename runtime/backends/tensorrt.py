"""TensorRT, and TensorRT for RTX: the engines that a bundle holds for this GPU."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from time import perf_counter

import numpy as np

from ..bundle import Bundle
from ..cuda import Cuda, find_gpu, installed_bindings, missing_sentence, open_cuda
from ..errors import BackendError, InputError, MissingExtraError
from ..manifest import Flavour, Precision, Recipe
from ..network import ColorOrder, NetworkGeometry
from .base import SearchResult, TargetFeatures, Wanted
from .contract import check_pictures, check_targets, check_tensors, foreign_features, output_names
from .engine_files import EnginePair, Place, choose_pair, no_pair_sentence, usable_pairs
from .engine_io import DeviceTarget, EngineRunner, Exchange, Resources
from .tensorrt_library import EngineLibrary, missing_library

NAMES: Mapping[Flavour, str] = {Flavour.TENSORRT: "tensorrt", Flavour.RTX: "tensorrt-rtx"}


def probe(bundle: Bundle, flavour: Flavour) -> str | None:
    """None where the bundle has engines that run here, or what is missing: the library, CUDA, a GPU, an engine."""
    missing = missing_library(flavour)
    if missing is not None:
        return missing
    if not installed_bindings():
        return missing_sentence()
    try:
        place = Place(flavour, EngineLibrary(flavour).version, find_gpu())
    except (BackendError, MissingExtraError) as error:
        return str(error)
    return None if usable_pairs(bundle.manifest, place) else no_pair_sentence(bundle, place)


def precisions(bundle: Bundle, flavour: Flavour) -> tuple[Precision, ...]:
    """Those with both engines for this GPU and library, FP16 first; none where there is no GPU."""
    try:
        place = Place(flavour, EngineLibrary(flavour).version, find_gpu())
    except (BackendError, MissingExtraError):
        return ()
    return tuple(dict.fromkeys(pair.search.precision for pair in usable_pairs(bundle.manifest, place)))


def load(bundle: Bundle, wanted: Wanted, flavour: Flavour) -> TensorrtBackend:
    """Raises MissingExtraError, BackendError, and BundleError for an engine that is not the manifest's."""
    library = EngineLibrary(flavour)
    # First, as a binding only says that the driver is too old where there is none.
    find_gpu()
    cuda = open_cuda()
    pair = choose_pair(bundle, Place(flavour, library.version, cuda.device), wanted)
    return TensorrtBackend(bundle, pair, library, cuda)


class TensorrtBackend:
    """Runs two engines on one stream, in buffers that are allocated once.

    Copying in, inference and copying out are one CUDA graph, captured after a first run that lets the engine settle. A
    target's features never leave the device: each has buffers of its own, copied there into the engine's input when the
    target changes. Where the GPU works in the host's memory, nothing is copied in or out.

    `timings_ms` are the GPU's own, from events, and of `copy` also the host's part of it.
    """

    def __init__(self, bundle: Bundle, pair: EnginePair, library: EngineLibrary, cuda: Cuda) -> None:
        """Raises BackendError, and BundleError for an engine that is not the manifest's."""
        self.name = NAMES[library.flavour]
        self._bundle, self._pair, self._library, self._cuda = bundle, pair, library, cuda
        self._timings: dict[str, float] = {}
        self._held = Resources(cuda)
        weakref.finalize(self, self._held.free).atexit = False
        # Not the target itself, which is freed when its owner lets go of it.
        self._current: weakref.ref[DeviceTarget] | None = None
        gpu = cuda.device.target
        with cuda.active():
            self._template = EngineRunner(library, bundle.read_engine(pair.template), pair.template, gpu)
            self._search = EngineRunner(library, bundle.read_engine(pair.search), pair.search, gpu)
            check_tensors(bundle, self.batch, self._template.tensors, self._search.tensors)
            self._allocate()
            self._capture()

    @property
    def network(self) -> NetworkGeometry:
        return self._bundle.manifest.network

    @property
    def color(self) -> ColorOrder:
        return self._bundle.manifest.color

    @property
    def batch(self) -> int:
        return self._pair.search.batch

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return self._timings

    def describe(self) -> Mapping[str, str]:
        engine, gpu = self._pair.search, self._cuda.device
        recipe = "" if engine.recipe is Recipe.PLAIN else f" ({engine.recipe})"
        return {
            "library": f"{self.name} {self._library.version}",
            "cuda": self._cuda.name,
            "device": f"{gpu.name} ({gpu.target})",
            "precision": f"{engine.precision}{recipe}",
            "batch": str(engine.batch),
            "memory": "shared with the host, not copied" if gpu.shares_memory else "page-locked, copied",
            "cuda graph": "captured" if self._held.graph is not None else "none: this engine cannot be captured",
        }

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        check_pictures(template, "template", self.network.template_size, self.batch)
        self._template_in["template"].fill(template)
        if "template_box" in self._template_in:
            self._template_in["template_box"].fill(np.asarray(template_box, np.float32))
        with self._cuda.active():
            target = DeviceTarget(self._held, self._template.outputs, self.batch)
            for exchange in self._template_in.values():
                exchange.copy_in(self._cuda, self._held.stream)
            for name, buffer in target.buffers.items():
                self._template.bind(name, buffer.address)
            self._template.run(self._held.stream)
            self._cuda.synchronize(self._held.stream)
        return target

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        if not isinstance(features, DeviceTarget) or features.owner is not self._held:
            raise foreign_features()
        check_pictures(search, "search", self.network.search_size, self.batch)
        check_targets(features.batch, len(search))
        start = perf_counter()
        try:
            self._inputs["search"].fill(search)
            self._inputs["window"].fill(window)
        except (TypeError, ValueError):
            raise InputError(
                f"window must be float32 {list(self._inputs['window'].spec.shape)}, not {window.dtype} "
                f"{list(window.shape)}"
            ) from None
        host_ms = (perf_counter() - start) * 1e3
        with self._cuda.active():
            self._take(features)
            if self._held.graph is not None:
                self._cuda.launch(self._held.graph, self._held.stream)
            else:
                self._work()
            self._cuda.synchronize(self._held.stream)
            begun, copied, inferred, done = self._held.events
            copying = self._cuda.elapsed_ms(begun, copied) + self._cuda.elapsed_ms(inferred, done)
            self._timings = {"copy": host_ms + copying, "inference": self._cuda.elapsed_ms(copied, inferred)}
        return self._result

    def _take(self, target: DeviceTarget) -> None:
        """Put a target's features where the captured engine reads them."""
        if self._current is not None and self._current() is target:
            return
        for name, buffer in target.buffers.items():
            self._cuda.copy_within(self._features[name], buffer, self._held.stream)
        self._current = weakref.ref(target)

    def _allocate(self) -> None:
        shared, held = self._cuda.device.shares_memory, self._held
        self._template_in = {s.name: Exchange(s, held, shared) for s in self._template.inputs}
        for name, exchange in self._template_in.items():
            self._template.bind(name, exchange.address)
        cached = {spec.name for spec in self._template.outputs}
        self._features = {s.name: held.device(s.bytes) for s in self._search.inputs if s.name in cached}
        self._inputs = {s.name: Exchange(s, held, shared) for s in self._search.inputs if s.name not in cached}
        names = output_names(self.network)
        self._outputs = {name: Exchange(self._search.specs[name], held, shared) for name in names}
        # Maps are not read; the engine has to put them somewhere.
        unread = {s.name: held.device(s.bytes) for s in self._search.outputs if s.name not in names}
        for name, place in {**self._features, **self._inputs, **self._outputs, **unread}.items():
            self._search.bind(name, place.address)
        arrays = [self._outputs[name].array for name in names]
        self._result = SearchResult(arrays[0], arrays[1], tuple(arrays[2:]))

    def _capture(self) -> None:
        for _ in range(4):
            self._held.event()
        self._work()
        self._cuda.synchronize(self._held.stream)
        if self._search.capturable(self._held.stream):
            self._held.graph = self._cuda.capture(self._held.stream, self._work)

    def _work(self) -> None:
        """Enqueue one search, with the time taken between its parts."""
        cuda, stream = self._cuda, self._held.stream
        begun, copied, inferred, done = self._held.events
        cuda.record(begun, stream)
        for exchange in self._inputs.values():
            exchange.copy_in(cuda, stream)
        cuda.record(copied, stream)
        self._search.run(stream)
        cuda.record(inferred, stream)
        for exchange in self._outputs.values():
            exchange.copy_out(cuda, stream)
        cuda.record(done, stream)
