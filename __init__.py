"""ostrack-edge: the OSTrack visual tracker from a checkpoint to a camera on a small computer.

The public face: `Tracker` and the values it takes and gives. Rooms: `ostrack_edge.runtime` (on the device),
`ostrack_edge.models` (the default model), `ostrack_edge.export` (on the workstation), `ostrack_edge.datasets`,
`ostrack_edge.benchmarks`, `ostrack_edge.service`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .runtime.errors import OSTrackEdgeError
from .runtime.geometry import Box
from .runtime.network import ColorOrder, NetworkGeometry, TemplateTokens

if TYPE_CHECKING:
    from .runtime.tracker import Tracker, TrackResult

__version__ = "0.1.0"
__all__ = ["Box", "ColorOrder", "NetworkGeometry", "OSTrackEdgeError", "TemplateTokens", "TrackResult", "Tracker"]


def __getattr__(name: str) -> object:
    # The tracker needs OpenCV; the manifest, the errors and the exporter's helpers do not.
    if name in ("Tracker", "TrackResult"):
        from .runtime import tracker

        return getattr(tracker, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
