"""`cuda.bindings.runtime`, `pycuda.driver` and the driver's library, as far as the layer calls them, over the made-up
device: the layer's own code runs, and calls that do not fit together fail as they would."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from ostrack_edge.runtime.errors import BackendError

from .fake import FakeDevice


class FakeRuntime:
    """NVIDIA's module: every function gives its error code first."""

    cudaStreamNonBlocking, cudaHostAllocDefault, cudaHostAllocMapped, cudaEventRecordExternal = 1, 0, 2, 1  # noqa: N815
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815
    cudaMemcpyKind = SimpleNamespace(  # noqa: N815
        cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2, cudaMemcpyDeviceToDevice=3
    )
    cudaDeviceAttr = SimpleNamespace(  # noqa: N815
        cudaDevAttrComputeCapabilityMajor=75, cudaDevAttrComputeCapabilityMinor=76, cudaDevAttrIntegrated=18
    )
    cudaError_t = SimpleNamespace(cudaErrorInsufficientDriver=35)  # noqa: N815

    def __init__(self, device: FakeDevice) -> None:
        self.device, self.said, self.broken = device, "", ""
        fake = device
        self._functions: dict[str, Callable[..., Any]] = {
            "cudaSetDevice": lambda n: setattr(fake, "active", 1),
            "cudaDeviceGetAttribute": lambda which, n: {
                75: fake.info.capability[0],
                76: fake.info.capability[1],
                18: int(fake.info.shares_memory),
            }[which],
            "cudaGetDeviceProperties": lambda n: SimpleNamespace(name=fake.info.name.encode()),
            "cudaStreamCreateWithFlags": lambda flags: fake.new_stream(),
            "cudaStreamSynchronize": fake.synchronize,
            "cudaStreamDestroy": lambda stream: fake.queues.pop(stream) and None,
            "cudaMalloc": fake.malloc,
            "cudaFree": fake.free,
            "cudaHostAlloc": lambda count, flags: fake.host_alloc(count, flags == 2)[0],
            "cudaHostGetDevicePointer": self._device_pointer,
            "cudaFreeHost": fake.free_host,
            "cudaMemcpyAsync": self._memcpy,
            "cudaEventCreate": fake.new_event,
            "cudaEventRecord": lambda event, stream: fake.record(event, stream, False),
            "cudaEventRecordWithFlags": lambda event, stream, flags: fake.record(event, stream, flags == 1),
            "cudaEventElapsedTime": fake.elapsed,
            "cudaEventDestroy": lambda event: fake.events.pop(event) and None,
            "cudaStreamBeginCapture": lambda stream, mode: fake.begin_capture(stream),
            "cudaStreamEndCapture": fake.end_capture,
            "cudaGraphInstantiate": lambda graph, flags: fake.instantiate(graph),
            "cudaGraphDestroy": lambda graph: fake.graphs.pop(graph) and None,
            "cudaGraphExecDestroy": lambda graph: fake.graphs.pop(graph) and None,
            "cudaGraphLaunch": fake.launch,
        }

    def cudaGetErrorString(self, code: int) -> tuple[int, bytes]:  # noqa: N802
        return 0, self.said.encode()

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        function = self._functions[name]

        def call(*arguments: Any) -> tuple[Any, ...]:
            if name == self.broken:
                self.said = "out of memory"
                return (2, None)
            try:
                given = function(*arguments)
            except BackendError as error:
                self.said = str(error)
                return (1, None)
            return (0,) if given is None else (0, given)

        return call

    def _device_pointer(self, address: int, flags: int) -> int:
        array = self.device.host[address]
        return next(seen for seen, other in self.device.mapped.items() if other is array)

    def _memcpy(self, target: int, source: int, count: int, kind: int, stream: int) -> None:
        host, device = (lambda a: lambda: self.device.host[a][:count]), (lambda a: lambda: self.device.view(a, count))
        kinds = {1: ("in", device(target), host(source)), 2: ("out", host(target), device(source))}
        kinds[3] = ("within", device(target), device(source))
        self.device.copy(stream, *kinds[kind])


class FakePycuda:
    """pycuda's driver module. A context is pushed and popped; objects own what they allocate."""

    class Error(Exception):
        pass

    host_alloc_flags = SimpleNamespace(DEVICEMAP=2)

    def __init__(self, device: FakeDevice) -> None:
        self.fake = device

    def init(self) -> None:
        pass

    def Device(self, number: int) -> Any:  # noqa: N802
        def shift(by: int) -> Callable[[], None]:
            return lambda: setattr(self.fake, "active", self.fake.active + by)

        return SimpleNamespace(retain_primary_context=lambda: SimpleNamespace(push=shift(1), pop=shift(-1)))

    def Stream(self, flags: int) -> Any:  # noqa: N802
        handle = self.fake.new_stream()
        stream = _Stream(self, handle)
        weakref.finalize(stream, self.fake.queues.pop, handle)
        return stream

    def mem_alloc(self, count: int) -> Any:
        return _Allocation(self._try(self.fake.malloc, count), lambda a: self._try(self.fake.free, a))

    def pagelocked_empty(self, shape: int, dtype: Any, mem_flags: int = 0) -> Any:
        address, array, seen = self.fake.host_alloc(shape, mem_flags == 2)
        view = array.view(_BasedArray)
        view.allocation = SimpleNamespace(
            get_device_pointer=lambda: seen, free=lambda: self._try(self.fake.free_host, address)
        )
        return view

    def memcpy_htod_async(self, target: int, source: np.ndarray, stream: Any) -> None:
        count = source.nbytes
        self._copy(stream, "in", lambda: self.fake.view(target, count), lambda: self.fake.host[source.ctypes.data])

    def memcpy_dtoh_async(self, target: np.ndarray, source: int, stream: Any) -> None:
        count = target.nbytes
        self._copy(stream, "out", lambda: self.fake.host[target.ctypes.data], lambda: self.fake.view(source, count))

    def memcpy_dtod_async(self, target: int, source: int, count: int, stream: Any) -> None:
        self._copy(stream, "within", lambda: self.fake.view(target, count), lambda: self.fake.view(source, count))

    def _copy(self, stream: Any, *what: Any) -> None:
        self._try(self.fake.copy, stream.handle, *what)

    def _try(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except BackendError as error:
            raise self.Error(str(error)) from None


class _BasedArray(np.ndarray):
    """numpy's `base` cannot be set; here it is what the allocation was given."""

    allocation: Any = None

    @property
    def base(self) -> Any:
        return self.allocation


@dataclass(eq=False)
class _Stream:
    """It is destroyed with the object, as nothing else destroys it."""

    owner: FakePycuda
    handle: int

    def synchronize(self) -> None:
        self.owner._try(self.owner.fake.synchronize, self.handle)


class _Allocation:
    def __init__(self, address: int, free: Callable[[int], None]) -> None:
        self._address, self._free = address, free

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        self._free(self._address)


class FakeLibcuda:
    """The driver's library: results come through pointers, the return value is the error's code."""

    def __init__(self, device: FakeDevice, devices: int = 1) -> None:
        self.fake, self.said, self.count = device, "", devices

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return 0

    def cuGetErrorString(self, code: int, text: Any) -> int:  # noqa: N802
        text._obj.value = self.said.encode()
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self.count
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:  # noqa: N802
        return 0

    def cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:  # noqa: N802
        name.value = self.fake.info.name.encode()
        return 0

    def cuDeviceGetAttribute(self, value: Any, which: int, device: Any) -> int:  # noqa: N802
        major, minor = self.fake.info.capability
        value._obj.value = {75: major, 76: minor, 18: int(self.fake.info.shares_memory)}[which]
        return 0

    def cuEventCreate(self, event: Any, flags: int) -> int:  # noqa: N802
        event._obj.value = self.fake.new_event()
        return 0

    def cuEventRecord(self, event: Any, stream: Any) -> int:  # noqa: N802
        return self._try(self.fake.record, event.value, stream.value, False)

    def cuEventRecordWithFlags(self, event: Any, stream: Any, flags: int) -> int:  # noqa: N802
        return self._try(self.fake.record, event.value, stream.value, flags == 1)

    def cuEventElapsedTime(self, ms: Any, first: Any, last: Any) -> int:  # noqa: N802
        def read() -> None:
            ms._obj.value = self.fake.elapsed(first.value, last.value)

        return self._try(read)

    def cuEventDestroy_v2(self, event: Any) -> int:  # noqa: N802
        return self._try(self.fake.events.pop, event.value)

    def cuStreamBeginCapture_v2(self, stream: Any, mode: int) -> int:  # noqa: N802
        return self._try(self.fake.begin_capture, stream.value)

    def cuStreamEndCapture(self, stream: Any, graph: Any) -> int:  # noqa: N802
        graph._obj.value = self.fake.end_capture(stream.value)
        return 0

    def cuGraphInstantiateWithFlags(self, ready: Any, graph: Any, flags: ctypes.c_ulonglong) -> int:  # noqa: N802
        ready._obj.value = self.fake.instantiate(graph.value)
        return 0

    def cuGraphLaunch(self, graph: Any, stream: Any) -> int:  # noqa: N802
        return self._try(self.fake.launch, graph.value, stream.value)

    def cuGraphDestroy(self, graph: Any) -> int:  # noqa: N802
        return self._try(self.fake.graphs.pop, graph.value)

    cuGraphExecDestroy = cuGraphDestroy  # noqa: N815

    def _try(self, function: Callable[..., Any], *arguments: Any) -> int:
        try:
            function(*arguments)
        except BackendError as error:
            self.said = str(error)
            return 1
        return 0
