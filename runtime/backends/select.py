"""Which engine runs a bundle: the one that was named, or with `auto` the first that can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from ..bundle import Bundle
from ..errors import BackendError, InputError
from ..manifest import Precision
from . import onnxruntime
from .base import Backend


class Choice(NamedTuple):
    """Whether an engine can run a bundle here; `reason` says why not, or what was found."""

    name: str
    usable: bool
    reason: str


@dataclass(frozen=True)
class BackendKind:
    """How an engine is looked for and loaded; `probe` gives None where it can run the bundle, or why it cannot."""

    probe: Callable[[Bundle], str | None]
    load: Callable[[Bundle, Precision, int | None], Backend]


BACKENDS: Mapping[str, BackendKind] = MappingProxyType(
    {
        "onnxruntime": BackendKind(onnxruntime.probe, onnxruntime.OnnxRuntimeBackend),
    }
)
"""Engines by name, in the order in which `auto` tries them."""


def available(bundle: Bundle) -> list[Choice]:
    """Every known engine, with whether it can run the bundle on this machine."""
    found = []
    for name, kind in BACKENDS.items():
        reason = kind.probe(bundle)
        found.append(Choice(name, reason is None, reason or "usable"))
    return found


def load_backend(
    bundle: Bundle, name: str = "auto", *, precision: Precision | None = None, threads: int | None = None
) -> Backend:
    """Load the engine `name`, which never falls back to another; `auto` takes the first usable.

    precision: None takes FP32. threads: CPU threads, None for as many as there are cores.

    Raises BackendError, saying of every engine why it was passed over; MissingExtraError where the named engine's
    library is absent.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; give at least 1")
    if name != "auto" and name not in BACKENDS:
        raise BackendError(f"there is no backend {name!r}; known are: auto, {', '.join(BACKENDS)}")
    if name == "auto":
        choices = available(bundle)
        usable = [c.name for c in choices if c.usable]
        if not usable:
            raise BackendError(
                "no backend can run this bundle here: " + "; ".join(f"{c.name}: {c.reason}" for c in choices)
            )
        name = usable[0]
    return BACKENDS[name].load(bundle, precision or Precision.FP32, threads)
