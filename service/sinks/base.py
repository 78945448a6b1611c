"""What a kind of sink must be able to do."""

from __future__ import annotations

from typing import Protocol

from ..frames import CapturedFrame
from ..views import Event, FrameResult


class Sink(Protocol):
    """Takes results. `SinkRunner` calls it from one thread, in the order open, write and tell by turns, close.

    name: for people. wants_frames: `write` is given the pictures; those that are not need none kept for them.
    capacity: results that may wait while it is slow, before some are lost and counted.
    """

    @property
    def name(self) -> str: ...

    @property
    def wants_frames(self) -> bool: ...

    @property
    def capacity(self) -> int: ...

    def open(self) -> None:
        """Raises OutputError, FootageError or MissingExtraError where it cannot be written to. Called before the
        source is opened, by the thread that starts the session."""
        ...

    def write(self, frame: CapturedFrame | None, result: FrameResult) -> None: ...

    def tell(self, event: Event) -> None: ...

    def close(self) -> None:
        """Write out what is held back. Raises as `open` does where not all of it could be written. After an `open`
        that raised it is called too."""
        ...
