"""What an engine must be able to do to sit under the tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from ..manifest import Precision, Recipe
from ..network import ColorOrder, NetworkGeometry

TargetFeatures: TypeAlias = object
"""What an engine keeps of a target; opaque, so that it may live on the device."""


class SearchResult(NamedTuple):
    """What the network says of one search region per sample.

    box: float32 [B, 4], centre x, centre y, width, height in 0..1 of the crop; score: float32 [B], the score map at the
    chosen cell before the window; kept: int32 [B, n] per elimination stage, search tokens (row-major) that stayed.
    The arrays may be the engine's own buffers: read them before the next call.
    """

    box: np.ndarray
    score: np.ndarray
    kept: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Wanted:
    """How an engine is to run a bundle. recipe: None takes the engine's first that the bundle has; batch: targets per
    call, None takes the bundle's own, or one where there is a choice; threads: on the CPU, None for one per core."""

    precision: Precision
    recipe: Recipe | None = None
    batch: int | None = None
    threads: int | None = None


class Backend(Protocol):
    """An engine that runs the two graphs of one network on one device. It serves one thread at a time.

    `timings_ms` holds the milliseconds of the parts of the last `search` call, by name: `copy` (in and out),
    `inference`, and `decode` where that is not inside the network.
    """

    @property
    def name(self) -> str: ...

    @property
    def network(self) -> NetworkGeometry: ...

    @property
    def batch(self) -> int | None:
        """Samples per call; None takes any number."""
        ...

    @property
    def color(self) -> ColorOrder:
        """Colour order of the crops that this engine takes."""
        ...

    @property
    def timings_ms(self) -> Mapping[str, float]: ...

    def describe(self) -> Mapping[str, str]:
        """Versions, device, threads and precision, for reports."""
        ...

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        """template: uint8 [B, H, W, 3]; template_box: float32 [B, 4], x, y, w, h in 0..1 of the crop."""
        ...

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        """search: uint8 [B, H, W, 3]; window: float32 [F, F], multiplied onto the score map before the argmax."""
        ...
