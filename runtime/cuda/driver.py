"""NVIDIA's driver library, called directly: whether there is a GPU, and the graphs and events that pycuda lacks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from ..errors import BackendError
from .layer import DeviceInfo, Event, Graph, Stream

_LIBRARY = "libcuda.so.1"
_INTEGRATED, _MAJOR, _MINOR = 18, 75, 76
"""CU_DEVICE_ATTRIBUTE_INTEGRATED, _COMPUTE_CAPABILITY_MAJOR, _MINOR."""

_THREAD_LOCAL = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do meanwhile does not break a capture."""

_EXTERNAL = 1
"""CU_EVENT_RECORD_EXTERNAL: in a capture, make a node that takes the time at every launch."""


class Driver:
    """The driver library. Raises BackendError where it is absent or finds no GPU."""

    def __init__(self, library: Any = None) -> None:
        """library: stands in for the real one in tests."""
        if library is None:
            try:
                library = ctypes.CDLL(_LIBRARY)
            except OSError:
                raise BackendError(
                    f"no NVIDIA GPU is usable here: the driver's library {_LIBRARY} is not installed"
                ) from None
        self._library = library
        self._capturing = False
        self._call("cuInit", 0)

    def devices(self) -> int:
        count = ctypes.c_int()
        self._call("cuDeviceGetCount", ctypes.byref(count))
        return count.value

    def device(self) -> DeviceInfo:
        """The first GPU. Raises BackendError where there is none."""
        if self.devices() < 1:
            raise BackendError("no NVIDIA GPU is found here, though the driver is installed")
        device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDeviceGetName", name, len(name), device)
        major, minor, integrated = (self._attribute(which, device) for which in (_MAJOR, _MINOR, _INTEGRATED))
        return DeviceInfo(name.value.decode(errors="replace"), (major, minor), bool(integrated))

    def event(self) -> Event:
        event = ctypes.c_void_p()
        self._call("cuEventCreate", ctypes.byref(event), 0)
        return Event(event.value or 0)

    def record(self, event: Event, stream: Stream) -> None:
        if self._capturing:
            self._call("cuEventRecordWithFlags", _pointer(event), _pointer(stream), _EXTERNAL)
        else:
            self._call("cuEventRecord", _pointer(event), _pointer(stream))

    def elapsed_ms(self, first: Event, last: Event) -> float:
        ms = ctypes.c_float()
        self._call("cuEventElapsedTime", ctypes.byref(ms), _pointer(first), _pointer(last))
        return ms.value

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        graph, ready = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", _pointer(stream), _THREAD_LOCAL)
        self._capturing = True
        try:
            work()
        except BaseException:
            # The stream has to leave the capture, or nothing can be run on it any more.
            self._library.cuStreamEndCapture(_pointer(stream), ctypes.byref(graph))
            if graph.value:
                self._library.cuGraphDestroy(graph)
            raise
        finally:
            self._capturing = False
        self._call("cuStreamEndCapture", _pointer(stream), ctypes.byref(graph))
        try:
            self._call("cuGraphInstantiateWithFlags", ctypes.byref(ready), graph, ctypes.c_ulonglong(0))
        finally:
            self._call("cuGraphDestroy", graph)
        return Graph(ready.value or 0)

    def launch(self, graph: Graph, stream: Stream) -> None:
        self._call("cuGraphLaunch", _pointer(graph), _pointer(stream))

    def close(self, events: tuple[Event, ...], graph: Graph | None) -> None:
        if graph is not None:
            self._call("cuGraphExecDestroy", _pointer(graph))
        for event in events:
            self._call("cuEventDestroy_v2", _pointer(event))

    def _attribute(self, which: int, device: ctypes.c_int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), which, device)
        return value.value

    def _call(self, function: str, *arguments: Any) -> None:
        try:
            entry = getattr(self._library, function)
        except AttributeError:
            raise BackendError(f"the NVIDIA driver here is too old: it has no {function}; update it") from None
        code = entry(*arguments)
        if code:
            raise BackendError(f"CUDA: {function} failed: {self._words(code)}")

    def _words(self, code: int) -> str:
        text = ctypes.c_char_p()
        self._library.cuGetErrorString(code, ctypes.byref(text))
        return (text.value or b"unknown error").decode(errors="replace") + f" ({code})"


def _pointer(handle: int) -> ctypes.c_void_p:
    # A plain int would be cut to 32 bits on its way.
    return ctypes.c_void_p(handle)
