"""The PyTorch network: the reference that everything exported is compared with. One file per part."""

from __future__ import annotations

from .network import NetworkOutput, OSTrack

__all__ = ["NetworkOutput", "OSTrack"]
