"""TensorRT, or TensorRT for RTX: one API under two names. What is not the same of the two, and its errors as ours."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import BackendError, MissingExtraError, OutputError
from ..extras import installed
from ..files import whole_or_nothing
from ..manifest import EngineFile, Flavour
from .engine_files import LIBRARY_NAMES

_OLDEST = (10, 3)


class _Names(NamedTuple):
    module: str
    extra: str


MODULES: Mapping[Flavour, _Names] = MappingProxyType(
    {Flavour.TENSORRT: _Names("tensorrt", "tensorrt"), Flavour.RTX: _Names("tensorrt_rtx", "rtx")}
)


def missing_library(flavour: Flavour) -> str | None:
    """What to install, None where the library is here. Nothing is loaded to find out."""
    module, extra = MODULES[flavour]
    if installed(module):
        return None
    return str(MissingExtraError(module, f"the {LIBRARY_NAMES[flavour]} backend", extra))


class EngineLibrary:
    """The library, its log, and engines made ready to run."""

    def __init__(self, flavour: Flavour) -> None:
        """Raises MissingExtraError, BackendError for a release that is too old or does not load."""
        module, extra = MODULES[flavour]
        self.flavour, self.name = flavour, LIBRARY_NAMES[flavour]
        if not installed(module):
            raise MissingExtraError(module, f"the {self.name} backend", extra)
        try:
            self._trt: Any = importlib.import_module(module)
        except (ImportError, OSError) as error:
            raise BackendError(f"{self.name} is installed and does not load: {error}") from error
        self.version = str(self._trt.__version__)
        if flavour is Flavour.TENSORRT and _numbers(self.version) < _OLDEST:
            raise BackendError(
                f"TensorRT {self.version} is too old: engines of this package need 10.3, of JetPack 6.1, or newer"
            )
        self._log = _make_log(self._trt)
        self._runtime: Any = None

    def deserialise(self, data: bytes, what: EngineFile) -> Any:
        """The engine in bytes that the manifest vouched for. Raises BackendError with what the library says."""
        self._log.errors.clear()
        if self._runtime is None:
            # One for all engines, and kept: an engine must not outlive its runtime.
            self._runtime = self._trt.Runtime(self._log)
        engine = self._runtime.deserialize_cuda_engine(data)
        if engine is None:
            raise self.failure(f"does not load {what.path}")
        return engine

    def context(self, engine: Any, what: EngineFile, gpu: str) -> Any:
        """What runs the engine. TensorRT for RTX compiles its kernels now, or takes them from this user's cache."""
        self._log.errors.clear()
        cache = None
        if hasattr(engine, "create_runtime_config"):
            config = engine.create_runtime_config()
            self._settle(config)
            cache = RuntimeCache.of(config, f"{what.sha256[:32]}-{self.version}-{gpu}")
            context = engine.create_execution_context(config)
        else:
            context = engine.create_execution_context()
        if context is None:
            raise self.failure(f"cannot run {what.path}")
        if cache is not None:
            cache.save()
        return context

    def shape_type(self, dtype: Any) -> type:
        """A tensor's type as numpy's."""
        return self._trt.nptype(dtype)

    def is_input(self, engine: Any, name: str) -> bool:
        return engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT

    def failure(self, what: str) -> BackendError:
        # The first is the cause, the others follow from it.
        said = f": {self._log.errors[0]}" if self._log.errors else ""
        return BackendError(f"{self.name} {self.version} {what}{said}")

    def _settle(self, config: Any) -> None:
        """Compile all at once: what is compiled later would stand in the way of a capture."""
        strategy = getattr(self._trt, "DynamicShapesKernelSpecializationStrategy", None)
        if strategy is not None and hasattr(config, "dynamic_shapes_kernel_specialization_strategy"):
            config.dynamic_shapes_kernel_specialization_strategy = strategy.EAGER


class RuntimeCache:
    """Kernels that TensorRT for RTX compiled on this device, in this user's cache folder. The library itself refuses a
    cache of another version or GPU."""

    def __init__(self, cache: Any, path: Path) -> None:
        self._cache, self._path = cache, path

    @classmethod
    def of(cls, config: Any, key: str) -> RuntimeCache | None:
        """Filled from disk and set in the configuration; None where the library has no such cache."""
        if not hasattr(config, "create_runtime_cache"):
            return None
        self = cls(config.create_runtime_cache(), cache_folder() / f"{key}.cache")
        if self._path.is_file():
            self._cache.deserialize(self._path.read_bytes())
        config.set_runtime_cache(self._cache)
        return self

    def save(self) -> None:
        """Keep what was compiled; a folder that cannot be written only means compiling again."""
        data = bytes(self._cache.serialize())
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._path.is_file() and self._path.read_bytes() == data:
                return
            with whole_or_nothing(self._path) as partial:
                partial.write_bytes(data)
        except (OSError, OutputError):
            return


def cache_folder() -> Path:
    """Of this package in the user's own cache: $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ostrack-edge" / "tensorrt-rtx"


def _make_log(trt: Any) -> Any:
    class Log(trt.ILogger):
        """Keeps errors for the sentence that reports them; prints nothing."""

        def __init__(self) -> None:
            # By its name: the library's own base class takes no super().
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split()))

    return Log()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
