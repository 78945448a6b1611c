"""Reading checkpoints that are not trusted, and writing safetensors."""

from __future__ import annotations

from .files import Checkpoint, read_checkpoint, write_safetensors

__all__ = ["Checkpoint", "read_checkpoint", "write_safetensors"]
