"""Video files and folders of images, as fast as they can be read or at the pace that they were taken at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.footage import Footage, open_footage
from .base import Grab


@dataclass(frozen=True)
class FileSource:
    """realtime: frames come at the file's own rate, as from a camera, and those that the tracker has no time for are
    dropped; without it each waits until it was tracked. loop: begin again at the end, for ever."""

    path: Path
    realtime: bool = False
    loop: bool = False
    allow_truncated: bool = False
    live: bool = False

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def fps(self) -> float | None:
        with open_footage(self.path, self.allow_truncated) as footage:
            return footage.fps

    def open(self) -> FileReader:
        footage = open_footage(self.path, self.allow_truncated)
        return FileReader(footage, 1 / footage.fps if self.realtime else 0.0, self.loop)


class FileReader:
    """pause: seconds between two frames, 0 for none."""

    def __init__(self, footage: Footage, pause: float, loop: bool) -> None:
        self._footage = footage
        self._pause = pause
        self._loop = loop
        self._frames: Iterator[np.ndarray] = iter(footage)
        self._due = time.monotonic()

    def read(self) -> Grab | None:
        image = next(self._frames, None)
        if image is None and self._loop:
            self._frames = iter(self._footage)
            image = next(self._frames, None)
        if image is None:
            return None
        if self._pause:
            # Paced by when frames are due, so that a late one does not make all the others late.
            now = time.monotonic()
            self._due = max(self._due + self._pause, now - 1)
            time.sleep(max(0.0, self._due - now))
        return Grab.now(image)

    def close(self) -> None:
        self._footage.close()
