"""A bundle in every precision of a network whose attention the builder fuses, and engines of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.manifest import Precision, Recipe
from ostrack_edge.runtime.network import NetworkGeometry

FUSING = NetworkGeometry("fusing", 64, 128, 2.0, 4.0, 128, 2, 2, 256, 16, (1,), (0.7,))
"""Two heads: with one, nothing is transposed, and the builder takes another way through the attention."""


@pytest.fixture(scope="session")
def graphs(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FP32, FP16, and INT8 by the recipes linears, attention and cpu. Not to be written to."""
    from ostrack_edge.export import build_bundle, untrained_network
    from ostrack_edge.export.precision.plan import Calibrating, PrecisionPlan

    recipes = (Recipe.LINEARS, Recipe.ATTENTION, Recipe.CPU)
    plan = PrecisionPlan(frozenset(Precision), Calibrating((f"folders:{clips}",), recipes, limit=48))
    folder = tmp_path_factory.mktemp("graphs") / "bundle"
    build_bundle(untrained_network(FUSING), folder, plan=plan, trained=False)
    return folder


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FP32 alone, of any batch. Not to be written to."""
    from ostrack_edge.export import build_bundle, untrained_network

    folder = tmp_path_factory.mktemp("bare") / "bundle"
    build_bundle(untrained_network(FUSING), folder, batch=None, trained=False)
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """Makes a copy of a bundle, to add engines to."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def built(graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """With engines in FP16 and INT8 (linears) for two targets, and INT8 (attention) for one. Not to be written to."""
    from ostrack_edge.export.engines.make import EnginePlan, make_engines
    from ostrack_edge.export.engines.targets import parse_targets

    folder = Path(shutil.copytree(graphs, tmp_path_factory.mktemp("built") / "bundle"))
    make_engines(folder, EnginePlan(parse_targets("rtx:sm86,rtx:sm89"), require_fused=True))
    make_engines(folder, EnginePlan(parse_targets("rtx:sm86"), recipe=Recipe.ATTENTION, require_fused=True))
    return Bundle.open(folder)
