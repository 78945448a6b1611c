"""The little of CUDA that an engine needs, so that either Python binding of it serves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NewType, Protocol

import numpy as np

Stream = NewType("Stream", int)
"""A stream's own handle, as engine libraries take it."""

Event = NewType("Event", int)
Graph = NewType("Graph", int)


@dataclass(frozen=True)
class DeviceInfo:
    """A GPU. `capability`: its compute capability, (8, 7) on a Jetson Orin; `shares_memory`: it has no memory of its
    own but works in the host's, as on a Jetson."""

    name: str
    capability: tuple[int, int]
    shares_memory: bool

    @property
    def target(self) -> str:
        """What engines call it: `sm87`."""
        return f"sm{self.capability[0]}{self.capability[1]}"


@dataclass(frozen=True, eq=False)
class DeviceBuffer:
    """`bytes` of the GPU's memory at `address`; `owner` is the binding's own object, if it has one."""

    address: int
    bytes: int
    owner: Any = None


@dataclass(frozen=True, eq=False)
class HostBuffer:
    """Page-locked memory of the host: uint8 [bytes]. `device_address`: where the GPU sees it, None where it was not
    asked to."""

    array: np.ndarray
    device_address: int | None
    owner: Any = None


class Cuda(Protocol):
    """One GPU. All but `name`, `device` and `active` is called inside of `active()`, in any one thread at a time.

    Copies and launches only enqueue: their memory must live, and the host's stay untouched, until `synchronize`.
    Whatever fails raises BackendError.
    """

    @property
    def name(self) -> str:
        """The binding and its version, for reports."""
        ...

    @property
    def device(self) -> DeviceInfo: ...

    def active(self) -> AbstractContextManager[None]:
        """Make the GPU this thread's own meanwhile."""
        ...

    def stream(self) -> Stream: ...

    def synchronize(self, stream: Stream) -> None:
        """Wait until all that was enqueued is done."""
        ...

    def alloc(self, count: int) -> DeviceBuffer: ...

    def alloc_host(self, count: int, mapped: bool = False) -> HostBuffer:
        """`mapped`: the GPU is to see it too."""
        ...

    def copy_in(self, target: DeviceBuffer, source: HostBuffer, stream: Stream) -> None:
        """All of `source`, from the host to the device."""
        ...

    def copy_out(self, target: HostBuffer, source: DeviceBuffer, stream: Stream) -> None:
        """All of `target`, from the device to the host."""
        ...

    def copy_within(self, target: DeviceBuffer, source: DeviceBuffer, stream: Stream) -> None:
        """All of `source`, on the device."""
        ...

    def event(self) -> Event: ...

    def record(self, event: Event, stream: Stream) -> None:
        """Take the time when the stream comes here; in a captured graph at each of its launches."""
        ...

    def elapsed_ms(self, first: Event, last: Event) -> float:
        """Between two recorded events that the stream has passed."""
        ...

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        """What `work` enqueues, as one graph that is ready to be launched; nothing is run."""
        ...

    def launch(self, graph: Graph, stream: Stream) -> None: ...

    def free(self, *buffers: DeviceBuffer | HostBuffer) -> None: ...

    def close(self, stream: Stream, events: tuple[Event, ...], graph: Graph | None) -> None:
        """Give back a stream and what belongs to it."""
        ...
