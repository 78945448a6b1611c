"""What a kind of source must be able to do."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol

import numpy as np

READ_TIMEOUT = 10.0
"""Seconds after which a reader of a live source gives up waiting for a frame: `read` never blocks for longer."""


class Grab(NamedTuple):
    """One picture, uint8 [H, W, 3], BGR, a new array, and the `time.monotonic()` at which the source had it."""

    image: np.ndarray
    captured: float

    @classmethod
    def now(cls, image: np.ndarray) -> Grab:
        return cls(image, time.monotonic())


class BadFrameError(Exception):
    """A frame came and cannot be decoded; the next one may be good. Counted by the capture, never shown to a user."""


class FrameReader(Protocol):
    """An open source. One thread reads and closes it."""

    def read(self) -> Grab | None:
        """Wait for the next frame; None at the end of the footage.

        Raises BadFrameError for a frame that is damaged, SourceError or FootageError where the source has failed.
        """
        ...

    def close(self) -> None:
        """Give back what it holds open; a second call does nothing."""
        ...


class Source(Protocol):
    """A source that can be opened, and again after it failed.

    name: as it may be shown, without a password. live: frames come at their own pace, and an end is a failure; a file
    ends. fps: frames per second, None where that is known by none.
    """

    @property
    def name(self) -> str: ...

    @property
    def live(self) -> bool: ...

    @property
    def fps(self) -> float | None: ...

    def open(self) -> FrameReader:
        """Raises SourceError or FootageError, in one sentence, where it does not open."""
        ...
