"""CUDA through NVIDIA's cuda-python (`cuda.bindings.runtime`)."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import BackendError
from .layer import DeviceBuffer, DeviceInfo, Event, Graph, HostBuffer, Stream

NAME = "cuda-python"


class CudaPython:
    """The first GPU that the process sees, in the context that engine libraries use too."""

    def __init__(self, bindings: Any = None) -> None:
        """bindings: stands in for `cuda.bindings.runtime` in tests. Raises ImportError, BackendError."""
        version = "of a test"
        if bindings is None:
            bindings = importlib.import_module("cuda.bindings.runtime")
            version = importlib.import_module("cuda.bindings").__version__
        self._rt: Any = bindings
        self._name = f"{NAME} {version}"
        self._capturing = False
        with self.active():
            self._device = self._read_device()

    @property
    def name(self) -> str:
        return self._name

    @property
    def device(self) -> DeviceInfo:
        return self._device

    @contextmanager
    def active(self) -> Iterator[None]:
        self._call("cudaSetDevice", 0)
        yield

    def stream(self) -> Stream:
        return Stream(int(self._call("cudaStreamCreateWithFlags", self._rt.cudaStreamNonBlocking)))

    def synchronize(self, stream: Stream) -> None:
        self._call("cudaStreamSynchronize", stream)

    def alloc(self, count: int) -> DeviceBuffer:
        return DeviceBuffer(int(self._call("cudaMalloc", count)), count)

    def alloc_host(self, count: int, mapped: bool = False) -> HostBuffer:
        flags = self._rt.cudaHostAllocMapped if mapped else self._rt.cudaHostAllocDefault
        address = int(self._call("cudaHostAlloc", count, flags))
        array = np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(address))
        seen = int(self._call("cudaHostGetDevicePointer", address, 0)) if mapped else None
        return HostBuffer(array, seen, address)

    def copy_in(self, target: DeviceBuffer, source: HostBuffer, stream: Stream) -> None:
        self._copy(target.address, source.owner, source.array.nbytes, "cudaMemcpyHostToDevice", stream)

    def copy_out(self, target: HostBuffer, source: DeviceBuffer, stream: Stream) -> None:
        self._copy(target.owner, source.address, target.array.nbytes, "cudaMemcpyDeviceToHost", stream)

    def copy_within(self, target: DeviceBuffer, source: DeviceBuffer, stream: Stream) -> None:
        self._copy(target.address, source.address, source.bytes, "cudaMemcpyDeviceToDevice", stream)

    def event(self) -> Event:
        return Event(int(self._call("cudaEventCreate")))

    def record(self, event: Event, stream: Stream) -> None:
        if self._capturing:
            # Without the flag a captured event only orders streams, and has no time.
            self._call("cudaEventRecordWithFlags", event, stream, self._rt.cudaEventRecordExternal)
        else:
            self._call("cudaEventRecord", event, stream)

    def elapsed_ms(self, first: Event, last: Event) -> float:
        return float(self._call("cudaEventElapsedTime", first, last))

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        mode = self._rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", stream, mode)
        self._capturing = True
        try:
            work()
        except BaseException:
            # The stream has to leave the capture, or nothing can be run on it any more.
            code, graph = self._rt.cudaStreamEndCapture(stream)
            if not int(code):
                self._rt.cudaGraphDestroy(graph)
            raise
        finally:
            self._capturing = False
        graph = self._call("cudaStreamEndCapture", stream)
        try:
            return Graph(int(self._call("cudaGraphInstantiate", graph, 0)))
        finally:
            self._call("cudaGraphDestroy", graph)

    def launch(self, graph: Graph, stream: Stream) -> None:
        self._call("cudaGraphLaunch", graph, stream)

    def free(self, *buffers: DeviceBuffer | HostBuffer) -> None:
        for buffer in buffers:
            if isinstance(buffer, DeviceBuffer):
                self._call("cudaFree", buffer.address)
            else:
                self._call("cudaFreeHost", buffer.owner)

    def close(self, stream: Stream, events: tuple[Event, ...], graph: Graph | None) -> None:
        if graph is not None:
            self._call("cudaGraphExecDestroy", graph)
        for event in events:
            self._call("cudaEventDestroy", event)
        self._call("cudaStreamDestroy", stream)

    def _read_device(self) -> DeviceInfo:
        found = self._rt.cudaDeviceAttr
        wanted = (found.cudaDevAttrComputeCapabilityMajor, found.cudaDevAttrComputeCapabilityMinor)
        major, minor = (int(self._call("cudaDeviceGetAttribute", which, 0)) for which in wanted)
        integrated = int(self._call("cudaDeviceGetAttribute", found.cudaDevAttrIntegrated, 0))
        name = self._call("cudaGetDeviceProperties", 0).name
        text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        return DeviceInfo(text.rstrip("\0"), (major, minor), bool(integrated))

    def _copy(self, target: int, source: int, count: int, kind: str, stream: Stream) -> None:
        self._call("cudaMemcpyAsync", target, source, count, getattr(self._rt.cudaMemcpyKind, kind), stream)

    def _call(self, function: str, *arguments: Any) -> Any:
        """What the function gives beside its error code. Raises BackendError for any but success."""
        try:
            code, *given = getattr(self._rt, function)(*arguments)
        except RuntimeError as error:  # the driver's library, or an entry of it, is not there
            raise BackendError(f"CUDA: {function} failed: {error}") from None
        if int(code):
            raise BackendError(f"CUDA: {function} failed: {self._words(code)}")
        return given[0] if given else None

    def _words(self, code: Any) -> str:
        _, text = self._rt.cudaGetErrorString(code)
        words = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        if int(code) == int(self._rt.cudaError_t.cudaErrorInsufficientDriver):
            words += "; take the cuda-bindings of the driver's own version, as in: pip install 'cuda-bindings<13'"
        return f"{words} ({int(code)})"
