"""A bundle small enough to build and run in every test session, and ways to take libraries away."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ostrack_edge.runtime.network import NetworkGeometry

TINY = NetworkGeometry(
    variant="tiny",
    template_size=64,
    search_size=128,
    template_factor=2.0,
    search_factor=4.0,
    width=64,
    depth=4,
    heads=1,
    mlp_width=256,
    head_width=16,
    elimination_blocks=(1, 2),
    keep_ratios=(0.7, 0.7),
)

SITE = """
import sys
from importlib.machinery import PathFinder


class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {packages!r} else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


@pytest.fixture(scope="session")
def tiny_geometry() -> NetworkGeometry:
    return TINY


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the TINY network with made-up weights."""
    pytest.importorskip("torch", reason="building a bundle needs PyTorch")
    from ostrack_edge.export import build_bundle, untrained_network

    folder = tmp_path_factory.mktemp("benchmarks") / "bundle"
    build_bundle(untrained_network(TINY), folder, source="made-up weights", trained=False)
    return folder


@pytest.fixture
def without(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """An environment for a Python process in which some packages cannot be imported."""

    def environment(*packages: str) -> dict[str, str]:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(SITE.format(packages=set(packages)))
        return {**os.environ, "PYTHONPATH": str(folder)}

    return environment
