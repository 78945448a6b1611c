"""What every engine holds its graphs and its inputs against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..bundle import Bundle
from ..errors import BackendError, InputError
from ..network import NetworkGeometry

Shape = Sequence[int | None]
"""None where the batch is open."""


@dataclass(frozen=True)
class Tensors:
    """The inputs and outputs of a graph by name, with their shapes."""

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]


def output_names(network: NetworkGeometry) -> list[str]:
    """What is read of the search graph, in the order of a SearchResult."""
    return ["box", "score", *(f"kept_{i}" for i in range(len(network.kept_counts)))]


def check_tensors(bundle: Bundle, batch: int | None, template: Tensors, search: Tensors) -> None:
    """Hold two graphs' tensors against the manifest. Raises BackendError naming the first that does not fit."""
    network = bundle.manifest.network
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
    for name, shape in [*template.inputs.items(), *search.inputs.items(), *search.outputs.items()]:
        cached = template.outputs.get(name)
        if cached is not None and list(cached) != list(shape):
            raise _unfit(bundle, f"{name} is {list(cached)} in one graph and {list(shape)} in the other")
        if name in wanted and list(shape) != wanted[name]:
            raise _unfit(bundle, f"{name} is {list(shape)}, the manifest says {wanted[name]}")
    names = output_names(network)
    stages = {name for name in search.outputs if name.startswith("kept_")}
    if set(names) - search.outputs.keys() or stages - set(names):
        raise _unfit(bundle, f"its outputs are {', '.join(search.outputs)}, the manifest says {', '.join(names)}")


def _unfit(bundle: Bundle, what: str) -> BackendError:
    return BackendError(f"the graphs of {bundle.folder} do not fit its manifest ({what}); build the bundle again")


def check_pictures(pictures: np.ndarray, name: str, size: int, batch: int | None) -> None:
    """Raises InputError where `pictures` is not uint8 [B, size, size, 3] of the engine's batch."""
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (size, size, 3):
        raise InputError(f"{name} must be uint8 [B, {size}, {size}, 3], not {pictures.dtype} {list(pictures.shape)}")
    if batch not in (None, len(pictures)):
        raise InputError(f"the bundle's graphs take a batch of {batch}, not {len(pictures)}")


def foreign_features() -> InputError:
    return InputError("the features were made by another backend; call embed_template of this one")


def check_targets(targets: int, regions: int) -> None:
    """Raises InputError where there is not one search region for each target."""
    if targets != regions:
        raise InputError(f"{regions} search regions for features of another number of targets; give one each")
