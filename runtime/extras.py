"""Optional packages: whether one is here, without importing it."""

from __future__ import annotations

import importlib.util


def installed(package: str) -> bool:
    """Whether the top-level package `package` could be imported; nothing is imported to find out."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
