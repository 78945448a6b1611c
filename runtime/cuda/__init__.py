"""A GPU behind one small Protocol; one file per Python binding of CUDA."""

from __future__ import annotations

from .find import BINDINGS, find_gpu, installed_bindings, missing_sentence, open_cuda
from .layer import Cuda, DeviceBuffer, DeviceInfo, Event, Graph, HostBuffer, Stream

__all__ = [
    "BINDINGS",
    "Cuda",
    "DeviceBuffer",
    "DeviceInfo",
    "Event",
    "Graph",
    "HostBuffer",
    "Stream",
    "find_gpu",
    "installed_bindings",
    "missing_sentence",
    "open_cuda",
]
