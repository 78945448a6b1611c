"""Which binding of CUDA serves: the one that was named, or with `auto` the first that is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..errors import BackendError
from ..extras import installed
from .cuda_python import NAME as CUDA_PYTHON
from .cuda_python import CudaPython
from .driver import Driver
from .layer import Cuda, DeviceInfo
from .pycuda import NAME as PYCUDA
from .pycuda import PyCuda

BINDINGS: Mapping[str, Callable[[], Cuda]] = MappingProxyType({CUDA_PYTHON: CudaPython, PYCUDA: PyCuda})
"""By name, in the order in which `auto` tries them."""

_MODULES = {CUDA_PYTHON: "cuda.bindings", PYCUDA: "pycuda"}
INSTALL = "pip install 'ostrack-edge[cuda]'"


def installed_bindings() -> list[str]:
    """Those that are installed, in the order of BINDINGS; nothing is loaded to find out."""
    return [name for name in BINDINGS if installed(_MODULES[name])]


def open_cuda(name: str = "auto") -> Cuda:
    """The GPU through the binding `name`, which never falls back to another; `auto` takes the first that is installed.

    Raises BackendError, saying what to install, or that there is no GPU.
    """
    if name != "auto" and name not in BINDINGS:
        raise BackendError(f"there is no binding of CUDA called {name!r}; known are: auto, {', '.join(BINDINGS)}")
    here = installed_bindings()
    if name == "auto":
        if not here:
            raise BackendError(missing_sentence())
        name = here[0]
    elif name not in here:
        raise BackendError(f"{name} is not installed here; add it with: pip install {name}")
    try:
        return BINDINGS[name]()
    except ImportError as error:
        raise BackendError(f"{name} is installed and does not load: {error}") from error


def missing_sentence() -> str:
    return f"neither {' nor '.join(BINDINGS)} is installed, which CUDA is called through; add one with: {INSTALL}"


def find_gpu() -> DeviceInfo:
    """The first GPU, asked of the driver alone. Raises BackendError saying why there is none."""
    return Driver().device()
