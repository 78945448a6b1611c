"""A GPU made of memory and lists, for tests: its own memory, streams that run late, capture and replay, errors on use
after free, and everything that was not given back counted.

Nothing enqueued on a stream happens before somebody waits for it: whoever reads too early, or changes a host buffer too
early, gets wrong numbers here every time, and on a GPU now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from ostrack_edge.runtime.cuda import DeviceBuffer, DeviceInfo, Event, Graph, HostBuffer, Stream
from ostrack_edge.runtime.errors import BackendError

Operation = Callable[[], None]


class FakeDevice:
    """`memory`: device memory by address. `log`: what has really run, in order."""

    def __init__(self, capability: tuple[int, int] = (8, 6), shares_memory: bool = False) -> None:
        self.info = DeviceInfo("Fake GPU", capability, shares_memory)
        self.memory: dict[int, np.ndarray] = {}
        self.host: dict[int, np.ndarray] = {}
        self.mapped: dict[int, np.ndarray] = {}
        self.queues: dict[int, list[Operation]] = {}
        self.captures: dict[int, list[Operation]] = {}
        self.graphs: dict[int, list[Operation]] = {}
        self.events: dict[int, float] = {}
        self.log: list[str] = []
        self.active = 0
        self._next = 0x7F00_0000_0000
        self._clock = 0.0

    @property
    def live(self) -> int:
        """Buffers, streams, events and graphs that were not given back."""
        return sum(map(len, (self.memory, self.host, self.queues, self.graphs, self.events)))

    def fail(self, sentence: str) -> None:
        raise BackendError(f"CUDA: {sentence}")

    def _handle(self, size: int = 256) -> int:
        self._next += -(-size // 256) * 256 + 256
        return self._next

    def malloc(self, count: int) -> int:
        self._not_capturing("an allocation")
        address = self._handle(count)
        # What was there before: nobody may count on zeros.
        self.memory[address] = np.full(count, 0xA5, np.uint8)
        return address

    def host_alloc(self, count: int, mapped: bool) -> tuple[int, np.ndarray, int | None]:
        self._not_capturing("an allocation")
        array = np.full(count, 0x5A, np.uint8)
        address = array.ctypes.data
        self.host[address] = array
        if mapped:
            seen = self._handle(count)
            self.mapped[seen] = array
            return address, array, seen
        return address, array, None

    def free(self, address: int) -> None:
        if self.memory.pop(address, None) is None:
            self.fail(f"invalid argument: {address:#x} is not allocated")

    def free_host(self, address: int) -> None:
        array = self.host.pop(address, None)
        if array is None:
            self.fail(f"invalid argument: {address:#x} is not allocated")
        self.mapped = {seen: other for seen, other in self.mapped.items() if other is not array}

    def view(self, address: int, count: int) -> np.ndarray:
        """Memory that the device sees, as uint8 [count]."""
        block = self.memory.get(address, self.mapped.get(address))
        if block is None or count > block.size:
            self.fail(f"illegal memory access: {count} bytes at {address:#x}")
            raise AssertionError
        return block[:count]

    def new_stream(self) -> int:
        stream = self._handle()
        self.queues[stream] = []
        return stream

    def enqueue(self, stream: int, operation: Operation) -> None:
        if not self.active:
            self.fail("no context is active")
        if stream in self.captures:
            self.captures[stream].append(operation)
        elif stream in self.queues:
            self.queues[stream].append(operation)
        else:
            self.fail(f"invalid resource handle: {stream:#x} is no stream")

    def synchronize(self, stream: int) -> None:
        if stream in self.captures:
            self.fail("operation not permitted when stream is capturing")
        queue, self.queues[stream] = self.queues[stream], []
        for operation in queue:
            self._clock += 1
            operation()

    def copy(self, stream: int, what: str, target: Callable[[], np.ndarray], source: Callable[[], np.ndarray]) -> None:
        # Looked up now, for errors, and again when it runs, as the memory may be gone by then.
        for look in (target, source):
            look()

        def run() -> None:
            np.copyto(target(), source())
            self.log.append(what)

        self.enqueue(stream, run)

    def new_event(self) -> int:
        event = self._handle()
        self.events[event] = float("nan")
        return event

    def record(self, event: int, stream: int, external: bool) -> None:
        if external != (stream in self.captures):
            self.fail("invalid argument: an event is recorded as external in captures, and only there")

        def run() -> None:
            self.events[event] = self._clock

        self.enqueue(stream, run)

    def elapsed(self, first: int, last: int) -> float:
        ms = self.events[last] - self.events[first]
        if np.isnan(ms):
            self.fail("device not ready: an event was not reached")
        return ms

    def begin_capture(self, stream: int) -> None:
        if self.queues[stream]:
            self.fail("a capture begins on a stream with work in it")
        self.captures[stream] = []

    def end_capture(self, stream: int) -> int:
        graph = self._handle()
        self.graphs[graph] = self.captures.pop(stream)
        return graph

    def instantiate(self, graph: int) -> int:
        ready = self._handle()
        self.graphs[ready] = list(self.graphs[graph])
        return ready

    def launch(self, graph: int, stream: int) -> None:
        if graph not in self.graphs:
            self.fail(f"invalid resource handle: {graph:#x} is no graph")
        for operation in self.graphs[graph]:
            self.enqueue(stream, operation)
        self.enqueue(stream, lambda: self.log.append("graph"))

    def _not_capturing(self, what: str) -> None:
        if self.captures:
            self.fail(f"operation not permitted when stream is capturing: {what}")


class FakeCuda:
    """The layer over a made-up device."""

    name = "fake"

    def __init__(self, device: FakeDevice | None = None) -> None:
        self.fake = device or FakeDevice()

    @property
    def device(self) -> DeviceInfo:
        return self.fake.info

    @contextmanager
    def active(self) -> Iterator[None]:
        self.fake.active += 1
        try:
            yield
        finally:
            self.fake.active -= 1

    def stream(self) -> Stream:
        return Stream(self.fake.new_stream())

    def synchronize(self, stream: Stream) -> None:
        self.fake.synchronize(stream)

    def alloc(self, count: int) -> DeviceBuffer:
        return DeviceBuffer(self.fake.malloc(count), count)

    def alloc_host(self, count: int, mapped: bool = False) -> HostBuffer:
        address, array, seen = self.fake.host_alloc(count, mapped)
        return HostBuffer(array, seen, address)

    def copy_in(self, target: DeviceBuffer, source: HostBuffer, stream: Stream) -> None:
        count = source.array.nbytes
        self.fake.copy(stream, "in", lambda: self.fake.view(target.address, count), lambda: self._host(source))

    def copy_out(self, target: HostBuffer, source: DeviceBuffer, stream: Stream) -> None:
        count = target.array.nbytes
        self.fake.copy(stream, "out", lambda: self._host(target), lambda: self.fake.view(source.address, count))

    def copy_within(self, target: DeviceBuffer, source: DeviceBuffer, stream: Stream) -> None:
        views = (
            lambda: self.fake.view(target.address, source.bytes),
            lambda: self.fake.view(source.address, source.bytes),
        )
        self.fake.copy(stream, "within", *views)

    def event(self) -> Event:
        return Event(self.fake.new_event())

    def record(self, event: Event, stream: Stream) -> None:
        self.fake.record(event, stream, stream in self.fake.captures)

    def elapsed_ms(self, first: Event, last: Event) -> float:
        return self.fake.elapsed(first, last)

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        self.fake.begin_capture(stream)
        try:
            work()
        except BaseException:
            del self.fake.captures[stream]
            raise
        graph = self.fake.end_capture(stream)
        ready = self.fake.instantiate(graph)
        del self.fake.graphs[graph]
        return Graph(ready)

    def launch(self, graph: Graph, stream: Stream) -> None:
        self.fake.launch(graph, stream)

    def free(self, *buffers: DeviceBuffer | HostBuffer) -> None:
        for buffer in buffers:
            if isinstance(buffer, DeviceBuffer):
                self.fake.free(buffer.address)
            else:
                self.fake.free_host(buffer.owner)

    def close(self, stream: Stream, events: tuple[Event, ...], graph: Graph | None) -> None:
        if graph is not None:
            del self.fake.graphs[graph]
        for event in events:
            del self.fake.events[event]
        del self.fake.queues[stream]

    def _host(self, buffer: HostBuffer) -> np.ndarray:
        array = self.fake.host.get(buffer.owner)
        if array is None:
            self.fake.fail("illegal memory access: a host buffer that was given back")
            raise AssertionError
        return array
