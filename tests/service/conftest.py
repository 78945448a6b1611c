"""A tracker without a network: everything around the backend is the real thing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import ColorOrder, NetworkGeometry, Tracker
from ostrack_edge.datasets import Scene
from ostrack_edge.runtime.backends import SearchResult

GEOMETRY = NetworkGeometry("fake", 64, 128, 2.0, 4.0, width=64, depth=12, heads=1, mlp_width=64, head_width=16)


class MiddleBackend:
    """Answers that the target, as large as before, stands a little right of the crop's centre."""

    name = "middle"
    network = GEOMETRY
    batch = None
    color = ColorOrder.BGR

    def __init__(self, shift: float = 0.0) -> None:
        self._shift = shift

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return {"copy": 0.0, "inference": 0.0}

    def describe(self) -> Mapping[str, str]:
        return {"device": "none"}

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> object:
        return template.copy()

    def search(self, features: object, search: np.ndarray, window: np.ndarray) -> SearchResult:
        side = 1 / self.network.search_factor
        box = np.array([[0.5 + self._shift, 0.5, side, side]], np.float32)
        kept = tuple(np.zeros((1, n), np.int32) for n in self.network.kept_counts)
        return SearchResult(box, np.array([0.5], np.float32), kept)


@pytest.fixture
def middle_tracker() -> Tracker:
    """A real tracker that finds the target where it was."""
    return Tracker(MiddleBackend())


@pytest.fixture
def drifting_tracker() -> Tracker:
    """A real tracker that finds the target a tenth of the search region further right in every frame."""
    return Tracker(MiddleBackend(shift=0.1))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 12 frames of 160 x 120 pixels with its ground truth."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    Scene(160, 120, frames=12).write_video(path)
    return path
