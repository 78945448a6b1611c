"""The room on the workstation: checkpoint loading, tracing, verification, bundles. Needs torch and onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.errors import MissingExtraError
from .variants import VARIANTS, published_geometry

if TYPE_CHECKING:
    from .build import build_bundle
    from .load import load_network, load_plain_vit, save_network, untrained_network
    from .model import NetworkOutput, OSTrack

__all__ = [
    "VARIANTS",
    "NetworkOutput",
    "OSTrack",
    "build_bundle",
    "load_network",
    "load_plain_vit",
    "published_geometry",
    "save_network",
    "untrained_network",
]

_HOMES = {
    "build_bundle": "build",
    "load_network": "load",
    "load_plain_vit": "load",
    "save_network": "load",
    "untrained_network": "load",
    "NetworkOutput": "model",
    "OSTrack": "model",
}


def __getattr__(name: str) -> object:
    # Variants and the command line's help are there without torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        home = import_module(f".{_HOMES[name]}", __name__)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("torch", "onnx", "onnxscript", "cv2"):
            raise
        raise MissingExtraError(package, f"ostrack_edge.export.{name}", "export") from None
    return getattr(home, name)
