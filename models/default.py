"""Where the default model lies in this installation."""

from __future__ import annotations

from pathlib import Path

from ..runtime.errors import BundleError, CheckpointError

DEFAULT_NAME = "edge"
"""What the default model is called in tables and messages."""

_REINSTALL = "install ostrack-edge again"

_HOME = Path(__file__).parent / DEFAULT_NAME


def default_bundle() -> Path:
    """The folder of the ready bundle. Raises BundleError where this installation lacks it."""
    folder = _HOME / "bundle"
    if not (folder / "manifest.json").is_file():
        raise BundleError(f"{_absent(folder)}, or name a bundle of your own")
    return folder


def default_checkpoint() -> Path:
    """The weights as safetensors, FP16, which load as the float32 that the bundle holds. Raises CheckpointError where
    this installation lacks them."""
    path = _HOME / f"{DEFAULT_NAME}.safetensors"
    if not path.is_file():
        raise CheckpointError(f"{_absent(path)}, or name a checkpoint of your own")
    return path


def default_card() -> Path:
    """The page that says what the model was trained on, what it scores, and what it is not for; it may be absent."""
    return _HOME / "MODEL_CARD.md"


def remedy(path: Path, otherwise: str) -> str:
    """What to do about a damaged file, or a bundle's folder: `otherwise`, except that the default model's come with the
    package, and are not for its user to make or to copy again."""
    return _REINSTALL if path.resolve().is_relative_to(_HOME.resolve()) else otherwise


def _absent(path: Path) -> str:
    return f"the default model {DEFAULT_NAME} is not part of this installation (no {path}); {_REINSTALL}"
