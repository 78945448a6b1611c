"""CUDA through pycuda.

pycuda (2026.1) knows no graphs and hides its events' handles, so those two come from the driver's library, which pycuda
itself stands on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import BackendError
from .driver import Driver
from .layer import DeviceBuffer, DeviceInfo, Event, Graph, HostBuffer, Stream

NAME = "pycuda"
_NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING: not held up by the default stream."""


class PyCuda:
    """The first GPU that the process sees, in its primary context, which is the one that engine libraries use."""

    def __init__(self, bindings: Any = None, driver: Driver | None = None) -> None:
        """bindings, driver: stand in for `pycuda.driver` and the driver's library in tests. Raises ImportError,
        BackendError."""
        version = "of a test"
        if bindings is None:
            # Here, as the package may be absent; it has no type information either.
            import pycuda as package  # type: ignore[import-not-found]
            import pycuda.driver as bindings  # type: ignore[import-not-found]

            version = getattr(package, "VERSION_TEXT", "of unknown version")
        self._cuda: Any = bindings
        self._name = f"{NAME} {version}"
        with self._failures():
            self._cuda.init()
        self._driver = driver or Driver()
        self._device = self._driver.device()
        with self._failures():
            self._context = self._cuda.Device(0).retain_primary_context()
        self._streams: dict[int, Any] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def device(self) -> DeviceInfo:
        return self._device

    @contextmanager
    def active(self) -> Iterator[None]:
        with self._failures():
            self._context.push()
        try:
            yield
        finally:
            # Popped each time: a context left pushed makes pycuda abort the process at its end.
            self._context.pop()

    def stream(self) -> Stream:
        with self._failures():
            stream = self._cuda.Stream(_NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return Stream(int(stream.handle))

    def synchronize(self, stream: Stream) -> None:
        with self._failures():
            self._streams[stream].synchronize()

    def alloc(self, count: int) -> DeviceBuffer:
        with self._failures():
            allocation = self._cuda.mem_alloc(count)
        return DeviceBuffer(int(allocation), count, allocation)

    def alloc_host(self, count: int, mapped: bool = False) -> HostBuffer:
        flags = self._cuda.host_alloc_flags.DEVICEMAP if mapped else 0
        with self._failures():
            array = self._cuda.pagelocked_empty(count, np.uint8, mem_flags=flags)
            seen = int(array.base.get_device_pointer()) if mapped else None
        return HostBuffer(array, seen, array.base)

    def copy_in(self, target: DeviceBuffer, source: HostBuffer, stream: Stream) -> None:
        with self._failures():
            self._cuda.memcpy_htod_async(target.address, source.array, self._streams[stream])

    def copy_out(self, target: HostBuffer, source: DeviceBuffer, stream: Stream) -> None:
        with self._failures():
            self._cuda.memcpy_dtoh_async(target.array, source.address, self._streams[stream])

    def copy_within(self, target: DeviceBuffer, source: DeviceBuffer, stream: Stream) -> None:
        with self._failures():
            self._cuda.memcpy_dtod_async(target.address, source.address, source.bytes, self._streams[stream])

    def event(self) -> Event:
        return self._driver.event()

    def record(self, event: Event, stream: Stream) -> None:
        self._driver.record(event, stream)

    def elapsed_ms(self, first: Event, last: Event) -> float:
        return self._driver.elapsed_ms(first, last)

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        return self._driver.capture(stream, work)

    def launch(self, graph: Graph, stream: Stream) -> None:
        self._driver.launch(graph, stream)

    def free(self, *buffers: DeviceBuffer | HostBuffer) -> None:
        for buffer in buffers:
            with self._failures():
                buffer.owner.free()

    def close(self, stream: Stream, events: tuple[Event, ...], graph: Graph | None) -> None:
        self._driver.close(events, graph)
        with self._failures():
            self._streams.pop(stream).synchronize()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except self._cuda.Error as error:
            raise BackendError(f"CUDA: {error}") from error
