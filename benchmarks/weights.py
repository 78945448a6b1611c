"""Weights for the PyTorch rows that nobody named."""

from __future__ import annotations

from pathlib import Path

from ..models import default_bundle, default_checkpoint
from ..runtime.bundle import Bundle
from ..runtime.errors import BundleError
from ..runtime.manifest import read_manifest


def checkpoint_of(bundle: Bundle, given: Path | None) -> Path | None:
    """The checkpoint that was given; without one the default model's where `bundle` was built from it, with whatever
    keep ratio; else None. Raises CheckpointError where the default model's is the one, and is not installed."""
    if given is not None:
        return given
    try:
        same = read_manifest(default_bundle()).weights_sha256 == bundle.manifest.weights_sha256
    except BundleError:
        # An installation without the default model measures other bundles all the same.
        return None
    return default_checkpoint() if same else None
