"""Pairs of graphs of a small network, and crops to put through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from ostrack_edge.calib.crops import CalibrationCrops
from ostrack_edge.export import OSTrack
from ostrack_edge.export.answers import make_reference
from ostrack_edge.export.precision.agree import Pair, Runner
from ostrack_edge.export.trace import trace_search, trace_template
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ranges are measured here, not found in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pair_of(network: OSTrack, batch: int | None = 1) -> Pair:
    return Pair(trace_template(network, ColorOrder.BGR, batch), trace_search(network, ColorOrder.BGR, batch, False))


def crops_of(network: OSTrack, count: int = 12) -> CalibrationCrops:
    """Crops of the rendered scene, each with its own template, the last third held back."""
    answers = make_reference(network, ColorOrder.BGR, count)
    held = np.arange(count) >= count - count // 3
    return CalibrationCrops(
        answers.template, answers.template_box, answers.search, np.arange(count), held, ColorOrder.BGR, ("scene",)
    )


@pytest.fixture(scope="session")
def tiny_network(tiny_geometry: NetworkGeometry) -> OSTrack:
    from ostrack_edge.export import untrained_network

    return untrained_network(tiny_geometry)


@pytest.fixture(scope="session")
def tiny_pair(tiny_network: OSTrack) -> Pair:
    return pair_of(tiny_network)


@pytest.fixture(scope="session")
def tiny_crops(tiny_network: OSTrack) -> CalibrationCrops:
    return crops_of(tiny_network)


@pytest.fixture(scope="session")
def tiny_runner(tiny_crops: CalibrationCrops) -> Runner:
    return Runner(tiny_crops, range(len(tiny_crops.search)), 1)


@pytest.fixture(scope="session")
def pair_maker() -> Callable[..., Pair]:
    return pair_of
