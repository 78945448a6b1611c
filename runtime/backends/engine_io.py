"""An engine's tensors and the buffers that they live in, made once."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cuda import Cuda, DeviceBuffer, Event, Graph, HostBuffer, Stream
from ..errors import BackendError
from ..manifest import EngineFile
from .contract import Tensors
from .tensorrt_library import EngineLibrary

_TYPES: Mapping[str, type] = {
    "template": np.uint8,
    "template_box": np.float32,
    "search": np.uint8,
    "window": np.float32,
    "box": np.float32,
    "score": np.float32,
}


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of an engine, its shape with the engine's batch."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    is_input: bool

    @property
    def bytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize


class Resources:
    """All that was taken of the GPU, to be given back together."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        with cuda.active():
            self.stream: Stream = cuda.stream()
        self.events: list[Event] = []
        self.graph: Graph | None = None
        self._buffers: list[DeviceBuffer | HostBuffer] = []

    def device(self, count: int) -> DeviceBuffer:
        self._buffers.append(buffer := self.cuda.alloc(count))
        return buffer

    def host(self, count: int, mapped: bool) -> HostBuffer:
        self._buffers.append(buffer := self.cuda.alloc_host(count, mapped))
        return buffer

    def event(self) -> Event:
        self.events.append(event := self.cuda.event())
        return event

    def free(self) -> None:
        with self.cuda.active():
            self.cuda.free(*self._buffers)
            self.cuda.close(self.stream, tuple(self.events), self.graph)


class Exchange:
    """A tensor that the host fills or reads: page-locked memory, and the device's copy of it. Where the GPU works in
    the host's memory there is no copy: both see the same."""

    def __init__(self, spec: TensorSpec, held: Resources, shared: bool) -> None:
        self.spec = spec
        self._host = held.host(spec.bytes, shared)
        self._device = None if shared else held.device(spec.bytes)
        self.array = self._host.array.view(spec.dtype).reshape(spec.shape)
        self.array.fill(0)

    @property
    def address(self) -> int:
        """Where the engine finds it."""
        if self._device is not None:
            return self._device.address
        assert self._host.device_address is not None
        return self._host.device_address

    def fill(self, array: np.ndarray) -> None:
        """Raises TypeError, ValueError for another type or shape."""
        np.copyto(self.array, array, casting="no")

    def copy_in(self, cuda: Cuda, stream: Stream) -> None:
        if self._device is not None:
            cuda.copy_in(self._device, self._host, stream)

    def copy_out(self, cuda: Cuda, stream: Stream) -> None:
        if self._device is not None:
            cuda.copy_out(self._host, self._device, stream)


class EngineRunner:
    """One deserialised engine, made ready for its batch."""

    def __init__(self, library: EngineLibrary, data: bytes, file: EngineFile, gpu: str) -> None:
        """Raises BackendError."""
        self._library, self._file = library, file
        self._engine = library.deserialise(data, file)
        self._context = library.context(self._engine, file, gpu)
        self.specs = {spec.name: spec for spec in self._read_specs()}

    @property
    def inputs(self) -> list[TensorSpec]:
        return [spec for spec in self.specs.values() if spec.is_input]

    @property
    def outputs(self) -> list[TensorSpec]:
        return [spec for spec in self.specs.values() if not spec.is_input]

    @property
    def tensors(self) -> Tensors:
        return Tensors({s.name: s.shape for s in self.inputs}, {s.name: s.shape for s in self.outputs})

    def bind(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise self._library.failure(f"takes no address for {name} of {self._file.path}")

    def run(self, stream: Stream) -> None:
        """Enqueue the inference. Raises BackendError."""
        if not self._context.execute_async_v3(stream):
            raise self._library.failure(f"could not run {self._file.path}")

    def capturable(self, stream: Stream) -> bool:
        """Whether a CUDA graph can hold it; a library that does not say has no reason to refuse."""
        asks = getattr(self._context, "is_stream_capturable", None)
        return asks is None or bool(asks(stream))

    def _read_specs(self) -> list[TensorSpec]:
        engine: Any = self._engine
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        # Inputs first: outputs have a shape once the inputs have.
        taken = [name for name in names if self._library.is_input(engine, name)]
        given = [name for name in names if name not in taken]
        for name in taken:
            shape = tuple(engine.get_tensor_shape(name))
            fixed = tuple(self._file.batch if n < 0 else n for n in shape)
            if fixed != shape and not self._context.set_input_shape(name, fixed):
                raise self._library.failure(f"takes no batch of {self._file.batch} for {name} of {self._file.path}")
        return [self._spec(name, is_input=True) for name in taken] + [
            self._spec(name, is_input=False) for name in given
        ]

    def _spec(self, name: str, is_input: bool) -> TensorSpec:
        dtype = np.dtype(self._library.shape_type(self._engine.get_tensor_dtype(name)))
        wanted = np.int32 if name.startswith("kept_") else _TYPES.get(name)
        if wanted is not None and dtype != wanted:
            raise BackendError(
                f"{name} of {self._file.path} is {dtype}, not {np.dtype(wanted)}; build bundle and engines again"
            )
        return TensorSpec(name, tuple(self._context.get_tensor_shape(name)), dtype, is_input)


class DeviceTarget:
    """What an engine keeps of its targets: buffers on the device by name, given back when nobody holds this."""

    def __init__(self, owner: Resources, specs: Iterable[TensorSpec], batch: int) -> None:
        """owner: of the engine that makes it; no other takes it."""
        cuda = owner.cuda
        self.owner, self.batch = owner, batch
        self.buffers: dict[str, DeviceBuffer] = {}
        # It must not hold this object, or it would never be called; at the process's end the driver frees all itself.
        weakref.finalize(self, _give_back, cuda, self.buffers).atexit = False
        for spec in specs:
            self.buffers[spec.name] = cuda.alloc(spec.bytes)


def _give_back(cuda: Cuda, buffers: dict[str, DeviceBuffer]) -> None:
    with cuda.active():
        cuda.free(*buffers.values())
