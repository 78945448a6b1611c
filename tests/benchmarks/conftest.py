"""A bundle small enough to build and run in every test session, and ways to take libraries away."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SITE = """
import sys
from importlib.machinery import PathFinder


class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {packages!r} else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


@pytest.fixture
def without(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """An environment for a Python process in which some packages cannot be imported."""

    def environment(*packages: str) -> dict[str, str]:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(SITE.format(packages=set(packages)))
        return {**os.environ, "PYTHONPATH": str(folder)}

    return environment
