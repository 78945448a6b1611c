"""Which engine runs a bundle: the one that was named, or with `auto` the first that can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from ..bundle import Bundle
from ..errors import BackendError, InputError
from ..manifest import Flavour, Precision, Recipe
from . import onnxruntime, onnxruntime_gpu, tensorrt
from .base import Backend, Wanted
from .check import check_answers


class Choice(NamedTuple):
    """Whether an engine can run a bundle here; `reason` says why not, or what was found; `precisions`: those in which
    it can, what it takes by itself first."""

    name: str
    usable: bool
    reason: str
    precisions: tuple[Precision, ...] = ()


@dataclass(frozen=True)
class BackendKind:
    """How an engine is looked for and loaded.

    probe: None where it can run the bundle on this machine, or why it cannot. precisions: those in which it can run
    the bundle, what it takes where none is named first. load: raises BackendError, MissingExtraError.
    """

    probe: Callable[[Bundle], str | None]
    precisions: Callable[[Bundle], tuple[Precision, ...]]
    load: Callable[[Bundle, Wanted], Backend]


def _provider(kind: type[onnxruntime_gpu.OnnxRuntimeCudaBackend]) -> BackendKind:
    return BackendKind(kind.probe, kind.precisions, kind)


def _engines(flavour: Flavour) -> BackendKind:
    return BackendKind(
        partial(tensorrt.probe, flavour=flavour),
        partial(tensorrt.precisions, flavour=flavour),
        partial(tensorrt.load, flavour=flavour),
    )


BACKENDS: Mapping[str, BackendKind] = MappingProxyType(
    {
        tensorrt.NAMES[Flavour.TENSORRT]: _engines(Flavour.TENSORRT),
        tensorrt.NAMES[Flavour.RTX]: _engines(Flavour.RTX),
        onnxruntime_gpu.CUDA_NAME: _provider(onnxruntime_gpu.OnnxRuntimeCudaBackend),
        onnxruntime_gpu.TENSORRT_NAME: _provider(onnxruntime_gpu.OnnxRuntimeTensorrtBackend),
        onnxruntime.NAME: BackendKind(onnxruntime.probe, onnxruntime.precisions, onnxruntime.load),
    }
)
"""Engines by name, in the order in which `auto` tries them."""


def available(bundle: Bundle) -> list[Choice]:
    """Every known engine, with whether it can run the bundle on this machine."""
    found = []
    for name, kind in BACKENDS.items():
        reason = kind.probe(bundle)
        precisions = () if reason else kind.precisions(bundle)
        found.append(Choice(name, reason is None, reason or "usable", precisions))
    return found


def load_backend(
    bundle: Bundle,
    name: str = "auto",
    *,
    precision: Precision | None = None,
    recipe: Recipe | None = None,
    batch: int | None = None,
    threads: int | None = None,
    selftest: bool = True,
) -> Backend:
    """Load the engine `name`, which never falls back to another; `auto` takes the first usable in that precision.

    precision: None takes the engine's own first choice; recipe, batch, threads: see Wanted. selftest: ask the engine
    for the reference's answers before it is handed on (see `check`).

    Raises BackendError, saying of every engine why it was passed over, or what an engine answers wrong;
    MissingExtraError where the named engine's library is absent.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; give at least 1")
    if name != "auto" and name not in BACKENDS:
        raise BackendError(f"there is no backend {name!r}; known are: auto, {', '.join(BACKENDS)}")
    if batch is not None and bundle.manifest.batch not in (None, batch):
        raise BackendError(
            f"the graphs of {bundle.folder} take a batch of {bundle.manifest.batch}, not {batch}; "
            f"build a bundle with: ostrack-export build --batch {batch}"
        )
    if name == "auto":
        name = _first_usable(bundle, precision)
    if precision is None:
        # Where it has none, loading says what is missing.
        precision = next(iter(BACKENDS[name].precisions(bundle)), Precision.FP32)
    backend = BACKENDS[name].load(bundle, Wanted(precision, recipe, batch, threads))
    if selftest and not (name == onnxruntime.NAME and precision is Precision.FP32):
        # The build itself proved those graphs on that engine, to tighter bounds than these.
        check_answers(backend, bundle, precision)
    return backend


def _first_usable(bundle: Bundle, precision: Precision | None) -> str:
    reasons = []
    for choice in available(bundle):
        if not choice.usable:
            reasons.append(f"{choice.name}: {choice.reason}")
        elif precision is not None and precision not in choice.precisions:
            has = ", ".join(map(str, choice.precisions)) or "none"
            reasons.append(f"{choice.name}: it runs this bundle in {has}, not in {precision}")
        else:
            return choice.name
    raise BackendError("no backend can run this bundle here: " + "; ".join(reasons))
