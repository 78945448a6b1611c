"""What an engine is built for: a flavour and a compute capability."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...runtime.cuda import find_gpu
from ...runtime.errors import BackendError, InputError
from ...runtime.manifest import Flavour
from .flavours import EngineLibrary

_KNOWN = "rtx:sm86 and the like, rtx, or tensorrt"


@dataclass(frozen=True)
class Target:
    """`capability`: as `sm86`; None for the GPU that is found."""

    flavour: Flavour
    capability: str | None

    def __str__(self) -> str:
        return str(self.flavour) if self.capability is None else f"{self.flavour}:{self.capability}"


def parse_targets(text: str) -> tuple[Target, ...]:
    """Targets from "rtx:sm86,rtx:sm89", each once. Raises InputError."""
    return tuple(dict.fromkeys(_parse(part.strip()) for part in text.split(",")))


def _parse(text: str) -> Target:
    name, colon, capability = text.partition(":")
    if name not in {str(f) for f in Flavour}:
        raise InputError(f"{text!r} is no target; give {_KNOWN}")
    flavour = Flavour(name)
    if not colon:
        return Target(flavour, None)
    if flavour is Flavour.TENSORRT:
        raise InputError(
            f"{text!r}: TensorRT builds for the GPU that it runs on; run it there with --target tensorrt, "
            "or build ahead of time with --target rtx:sm86 and the like"
        )
    if not re.fullmatch(r"sm\d{2,3}", capability):
        raise InputError(f"{text!r} is no target: a compute capability is written as sm86; give {_KNOWN}")
    return Target(flavour, capability)


def resolve(target: Target, library: EngineLibrary) -> str:
    """The compute capability to build for, as `sm86`.

    Raises InputError for one that the library does not have, BackendError where the GPU here is asked for and there is
    none.
    """
    capability = target.capability
    if capability is None:
        try:
            capability = find_gpu().target
        except BackendError as error:
            hint = "build on the device" if target.flavour is Flavour.TENSORRT else "name one, such as rtx:sm86"
            raise BackendError(f"--target {target} builds for the GPU of this machine: {error}; {hint}") from None
    if target.flavour is Flavour.RTX:
        known = capabilities(library.module)
        if capability not in known:
            raise InputError(
                f"{library.name} {library.version} builds for {', '.join(known)}, not for {capability}; "
                "for another GPU run --target tensorrt on it"
            )
    return capability


def capabilities(module: Any) -> tuple[str, ...]:
    """The compute capabilities that TensorRT for RTX builds for, oldest first."""
    names = [name.lower() for name in module.ComputeCapability.__members__ if re.fullmatch(r"SM\d+", name)]
    return tuple(sorted(names, key=lambda name: int(name[2:])))


def set_target(library: EngineLibrary, config: Any, capability: str) -> str | None:
    """Tell a builder's configuration what to build for; what was refused, in words, or None."""
    if not hasattr(config, "set_compute_capability"):
        return None  # TensorRT: the GPU here
    config.num_compute_capabilities = 1
    wanted = getattr(library.module.ComputeCapability, capability.upper())
    return None if config.set_compute_capability(wanted, 0) else f"it does not build for {capability}"
