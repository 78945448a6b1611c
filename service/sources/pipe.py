"""Frames through a pipe: raw pixels of a known size, or YUV4MPEG2, which says its own."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from dataclasses import dataclass

import numpy as np

from ...runtime.errors import SourceError
from ...runtime.opencv import cv2
from .base import READ_TIMEOUT, Grab

_LONGEST_LINE = 512
_LARGEST_SIDE = 16384


class PipeBytes:
    """Reads a pipe in whole pieces, and never waits for one longer than `timeout` seconds. fd stays the caller's."""

    def __init__(self, fd: int, name: str, timeout: float = READ_TIMEOUT) -> None:
        self._fd = fd
        self._name = name
        self._timeout = timeout

    def exactly(self, count: int) -> np.ndarray | None:
        """uint8 [count], None at the end. Raises SourceError for an end in between, or after the timeout."""
        data = np.empty(count, np.uint8)
        view, held = memoryview(data.data), 0
        while held < count:
            ready, _, _ = select.select([self._fd], [], [], self._timeout)
            if not ready:
                raise SourceError(f"{self._name} gave nothing for {self._timeout:g} s")
            got = os.readv(self._fd, [view[held:]])
            if not got:
                if not held:
                    return None
                raise SourceError(f"{self._name} ended after {held} of a frame's {count} bytes; is its size right?")
            held += got
        return data

    def line(self) -> bytes | None:
        """Up to the next line feed, without it; None at the end. Raises SourceError for a line too long to be one."""
        text = bytearray()
        while len(text) < _LONGEST_LINE:
            byte = self.exactly(1)
            if byte is None:
                return None
            if byte[0] == ord("\n"):
                return bytes(text)
            text.append(byte[0])
        raise SourceError(f"{self._name} gives no YUV4MPEG2: a header has more than {_LONGEST_LINE} bytes")


@dataclass(frozen=True)
class RawSource:
    """Raw frames on stdin, one after the other. size: width, height; pixels: bgr, rgb or gray."""

    size: tuple[int, int]
    pixels: str = "bgr"
    fps: float | None = None
    live: bool = False
    name: str = "stdin"

    def open(self) -> RawReader:
        return RawReader(PipeBytes(sys.stdin.fileno(), self.name), self.size, self.pixels)


class RawReader:
    def __init__(self, pipe: PipeBytes, size: tuple[int, int], pixels: str) -> None:
        self._pipe = pipe
        self._shape = (size[1], size[0], 1 if pixels == "gray" else 3)
        self._conversion = {"rgb": cv2.COLOR_RGB2BGR, "gray": cv2.COLOR_GRAY2BGR}.get(pixels)

    def read(self) -> Grab | None:
        height, width, channels = self._shape
        data = self._pipe.exactly(height * width * channels)
        if data is None:
            return None
        grab = Grab.now(data.reshape(self._shape))
        if self._conversion is None:
            return grab
        return Grab(cv2.cvtColor(grab.image, self._conversion), grab.captured)

    def close(self) -> None:
        """Standard input stays open: it is not this object's."""


class Y4mReader:
    """YUV4MPEG2 with 4:2:0 chroma, as `y4menc` writes it."""

    def __init__(self, pipe: PipeBytes, name: str) -> None:
        self._pipe = pipe
        self._name = name
        self._size: tuple[int, int] | None = None

    def read(self) -> Grab | None:
        """None at the end. Raises SourceError for what is no such stream."""
        line = self._pipe.line()
        # A header comes first, and again where the size changes.
        while line is not None and line.startswith(b"YUV4MPEG2"):
            self._size = self._read_header(line)
            line = self._pipe.line()
        if line is None:
            return None
        if self._size is None or not line.startswith(b"FRAME"):
            raise SourceError(f"{self._name} gives no YUV4MPEG2: {line[:20]!r} stands where a frame should begin")
        width, height = self._size
        data = self._pipe.exactly(width * height * 3 // 2)
        if data is None:
            return None
        grab = Grab.now(data)
        image = cv2.cvtColor(data.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)
        return Grab(image, grab.captured)

    def close(self) -> None:
        """The pipe is closed by whoever opened it."""

    def _read_header(self, line: bytes) -> tuple[int, int]:
        fields = {part[:1]: part[1:] for part in line.split()[1:]}
        width = height = 0
        with contextlib.suppress(KeyError, ValueError):
            width, height = int(fields[b"W"]), int(fields[b"H"])
        if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE) or width % 2 or height % 2:
            raise SourceError(
                f"{self._name} gives frames of {width} x {height} pixels; both sides must be even and at most "
                f"{_LARGEST_SIDE}: scale them in the pipeline, with `videoscale ! video/x-raw,width=W,height=H`"
            )
        if not fields.get(b"C", b"420").startswith(b"420") or b"p1" in fields.get(b"C", b""):
            raise SourceError(f"{self._name} gives YUV4MPEG2 of another kind than 4:2:0 with 8 bits")
        return width, height
