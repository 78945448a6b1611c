"""Engines and bundles for the runtime's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ostrack_edge.export import build_bundle, untrained_network
from ostrack_edge.runtime.network import NetworkGeometry


@pytest.fixture(scope="session")
def bundle_of(tiny_geometry: NetworkGeometry, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds the tiny bundle with options, once for each set of them."""
    built: dict[tuple, Path] = {}

    def build(**options: object) -> Path:
        key = tuple(sorted(options.items()))
        if key not in built:
            built[key] = tmp_path_factory.mktemp("runtime") / "bundle"
            build_bundle(untrained_network(tiny_geometry), built[key], source="made up", trained=False, **options)  # type: ignore[arg-type]
        return built[key]

    return build


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")
