"""The engine libraries: which are here, which versions serve, and what is the same in all of them.

TensorRT and TensorRT for RTX share builder, network, parser and engine API; TensorRT 11 took out what this package does
not use (flags for FP16 and INT8, calibrators, weak typing). What differs is asked of the module, never of its version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from ...runtime.errors import BackendError, MissingExtraError
from ...runtime.extras import installed
from ...runtime.manifest import Flavour

MODULES = {Flavour.TENSORRT: "tensorrt", Flavour.RTX: "tensorrt_rtx"}
NAMES = {Flavour.TENSORRT: "TensorRT", Flavour.RTX: "TensorRT for RTX"}

OLDEST = {Flavour.TENSORRT: (10, 3), Flavour.RTX: (1, 0)}
"""Older ones have no strong typing that can be relied on, or a parser that does not take these graphs."""

_NEEDED = (
    "Builder", "OnnxParser", "ILogger", "IProgressMonitor", "ProfilingVerbosity", "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class EngineLibrary:
    """An engine library that serves. `version`: as it names itself."""

    flavour: Flavour
    version: str
    module: Any

    @property
    def name(self) -> str:
        return NAMES[self.flavour]

    @property
    def inspects(self) -> bool:
        """Whether an engine can be asked for its layers where it is built: TensorRT builds beside a GPU, TensorRT for
        RTX ahead of time."""
        return self.flavour is Flavour.TENSORRT

    @property
    def keeps_timings(self) -> bool:
        """Whether a timing cache does anything: TensorRT for RTX measures nothing when it builds."""
        return self.flavour is Flavour.TENSORRT


def load_library(flavour: Flavour) -> EngineLibrary:
    """The library of a flavour. Raises MissingExtraError where it is not installed, BackendError where it does not load
    or is too old."""
    name = MODULES[flavour]
    if not installed(name):
        raise MissingExtraError(name.replace("_", "-"), f"building engines of {NAMES[flavour]}", str(flavour))
    try:
        module = import_module(name)
    except Exception as error:  # bindings without their libraries fail in many ways
        raise BackendError(f"{NAMES[flavour]} is installed and does not load: {error}") from error
    return check_library(flavour, module)


def check_library(flavour: Flavour, module: ModuleType | Any) -> EngineLibrary:
    """The module, if it is new enough and whole. Raises BackendError."""
    version, oldest = str(getattr(module, "__version__", "")), OLDEST[flavour]
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    wanted = ".".join(map(str, oldest))
    if not numbers or numbers < oldest:
        raise BackendError(
            f"{NAMES[flavour]} {version or 'without a version'} is too old to build these engines; "
            f"{wanted} or newer does" + (" (JetPack 6.1 and later)" if flavour is Flavour.TENSORRT else "")
        )
    absent = [part for part in _NEEDED if not hasattr(module, part)]
    if absent:
        raise BackendError(f"{NAMES[flavour]} {version} lacks {', '.join(absent)}; install {wanted} or newer")
    return EngineLibrary(flavour, version, module)
