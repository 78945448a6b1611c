"""A camera that is not there: the rendered scene at a camera's pace, with the faults that cameras have."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...datasets.scene import Scene
from ...runtime.errors import SourceError
from ...runtime.geometry import Box
from ...runtime.opencv import cv2
from .base import BadFrameError, Grab


@dataclass(frozen=True)
class Faults:
    """Every how many frames one happens, 0 for never; and how long it lasts, in frames or in seconds.

    stall: no frame for `stall_seconds`; disconnect: the reader fails and must be opened again; resize: the size
    changes to three quarters, or back; corrupt: one frame cannot be decoded; black, frozen: plain black frames, the
    same frame again.
    """

    stall_every: int = 0
    stall_seconds: float = 0.5
    disconnect_every: int = 0
    resize_every: int = 0
    corrupt_every: int = 0
    black_every: int = 0
    black_frames: int = 20
    frozen_every: int = 0
    frozen_frames: int = 20


@dataclass(frozen=True)
class SceneSource:
    """The rendered scene, back and forth for ever. rate: frames per second, 0 for as fast as they are taken; frames:
    after which it ends, None for never."""

    width: int = 640
    height: int = 480
    rate: float = 25.0
    seed: int = 0
    faults: Faults = Faults()
    frames: int | None = None
    length: int = 50
    _made: dict[str, _SceneCamera] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        return "rendered scene"

    @property
    def live(self) -> bool:
        return self.frames is None

    @property
    def fps(self) -> float | None:
        return self.rate or None

    @property
    def first_box(self) -> Box:
        """The target in the first frame, pixels."""
        return Scene(self.width, self.height, self.length, self.seed).box(0)

    @property
    def camera(self) -> _SceneCamera:
        """The camera behind it, which outlives its readers as a real one does: it counts what it gave and did."""
        return self._made.setdefault("camera", _SceneCamera(self))

    def open(self) -> SceneReader:
        return SceneReader(self.camera)


class _SceneCamera:
    """given: frames handed out, good and bad; happened: faults by their kind."""

    def __init__(self, source: SceneSource) -> None:
        scene = Scene(source.width, source.height, source.length, source.seed)
        there = [scene.frame(i) for i in range(source.length)]
        self._pictures = there + there[-2:0:-1]
        self.source = source
        self.given = 0
        self.happened: dict[str, int] = {}
        self._due = 0.0
        self._small = False

    def next(self) -> Grab | None:
        source, faults = self.source, self.source.faults
        if source.frames is not None and self.given >= source.frames:
            return None
        number = self.given
        self.given += 1
        self._wait()
        if self._is_time(number, faults.stall_every, "stall"):
            time.sleep(faults.stall_seconds)
        if self._is_time(number, faults.disconnect_every, "disconnect"):
            raise SourceError("the rendered scene was unplugged")
        if self._is_time(number, faults.corrupt_every, "corrupt"):
            raise BadFrameError("a frame that is damaged on purpose")
        if self._is_time(number, faults.resize_every, "resize"):
            self._small = not self._small
        return Grab.now(self._picture(number))

    def _picture(self, number: int) -> np.ndarray:
        faults = self.source.faults
        if self._lasts(number, faults.frozen_every, faults.frozen_frames, "frozen"):
            number -= number % faults.frozen_every
        picture = self._pictures[number % len(self._pictures)]
        if self._lasts(number, faults.black_every, faults.black_frames, "black"):
            picture = np.zeros_like(picture)
        if self._small:
            return cv2.resize(picture, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
        return picture.copy()

    def _wait(self) -> None:
        if self.source.rate:
            now = time.monotonic()
            self._due = max(self._due + 1 / self.source.rate, now - 0.1)
            time.sleep(max(0.0, self._due - now))

    def _is_time(self, number: int, every: int, kind: str) -> bool:
        hit = every > 0 and number > 0 and number % every == 0
        self.happened[kind] = self.happened.get(kind, 0) + hit
        return hit

    def _lasts(self, number: int, every: int, frames: int, kind: str) -> bool:
        during = every > 0 and number >= every and number % every < frames
        self.happened[kind] = self.happened.get(kind, 0) + (during and number % every == 0)
        return during


class SceneReader:
    def __init__(self, camera: _SceneCamera) -> None:
        self._read: Callable[[], Grab | None] = camera.next

    def read(self) -> Grab | None:
        return self._read()

    def close(self) -> None:
        """Nothing is open."""
