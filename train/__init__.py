"""The room where networks are made: losses, pairs, the loop, distillation. Needs torch and Lightning Fabric.

`PRESETS` are recipes and networks by name, `open_mixture` reads `--data`, `train` runs a `Plan`; `fresh_network` is
where a training from nothing begins, and the module `validate` looks for targets that were held back.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from .data.mixture import open_mixture
    from .initial import fresh_network
    from .loop import train
    from .plan import Plan
    from .presets import PRESETS
    from .recipe import Recipe

__all__ = ["PRESETS", "Plan", "Recipe", "fresh_network", "open_mixture", "train"]

_HOMES = {
    "PRESETS": "presets",
    "Plan": "plan",
    "Recipe": "recipe",
    "fresh_network": "initial",
    "open_mixture": "data.mixture",
    "train": "loop",
}


def __getattr__(name: str) -> object:
    # Importing the room, as its command line's help does, loads no torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(f".{_HOMES[name]}", __name__)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("torch", "onnx", "cv2", "lightning_fabric"):
            raise
        raise MissingExtraError(package, f"ostrack_edge.train.{name}", "train") from None
    return getattr(home, name)
