"""What the tests of the camera service share: a network that finds a bright square, and pictures with one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from ostrack_edge import Box, ColorOrder, NetworkGeometry
from ostrack_edge.runtime.backends import SearchResult
from ostrack_edge.service.sources.base import FrameReader, Grab

GEOMETRY = NetworkGeometry("fake", 64, 128, 2.0, 4.0, width=64, depth=12, heads=1, mlp_width=64, head_width=16)
SIZE = (160, 120)
START = Box(60, 40, 24, 24)


class SquareBackend:
    """Finds the brightest spot of the crop: a score of 0.9 there, of 0.05 where nothing is bright."""

    name = "square"
    network = GEOMETRY
    color = ColorOrder.BGR

    def __init__(self, batch: int | None = None) -> None:
        self.batch = batch
        self.calls: list[int] = []
        self.embedded: list[int] = []
        self.delay = 0.0

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return {"copy": 0.0, "inference": 0.0}

    def describe(self) -> Mapping[str, str]:
        return {"precision": "fp32"}

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> object:
        self.embedded.append(len(template))
        return len(template)

    def search(self, features: object, search: np.ndarray, window: np.ndarray) -> SearchResult:
        assert features == len(search)
        assert self.batch in (None, len(search))
        self.calls.append(len(search))
        time.sleep(self.delay)
        boxes, scores = [], []
        for crop in search:
            rows, columns = np.nonzero(crop.min(axis=2) > 200)
            if len(rows) < 20:
                boxes.append([0.5, 0.5, 0.5, 0.5])
                scores.append(0.05)
                continue
            x1, x2, y1, y2 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
            boxes.append([(x1 + x2) / 256, (y1 + y2) / 256, (x2 - x1) / 128, (y2 - y1) / 128])
            scores.append(0.9)
        kept = tuple(np.zeros((len(search), n), np.int32) for n in self.network.kept_counts)
        return SearchResult(np.array(boxes, np.float32), np.array(scores, np.float32), kept)


def picture(box: Box | None = START, size: tuple[int, int] = SIZE, shade: int = 40, seed: int = 0) -> np.ndarray:
    """A noisy grey picture with a white square at `box`; another seed gives other noise."""
    noise = np.random.default_rng(seed).integers(0, 20, (size[1], size[0], 3), np.uint8)
    image = noise + np.uint8(shade)
    if box is not None:
        x, y = round(box.x), round(box.y)
        image[max(0, y) : y + round(box.height), max(0, x) : x + round(box.width)] = 255
    return image


class ListSource:
    """Gives `frames` in turn, and raises what among them is an exception; each opening goes on where the last was."""

    def __init__(self, frames: Sequence[np.ndarray | Exception], live: bool = False, pause: float = 0.0) -> None:
        self.frames = list(frames)
        self.live = live
        self.fps: float | None = 25.0
        self.name = "list"
        self.pause = pause
        self.opened = 0
        self.closed = 0
        self.fail_to_open = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self._next = 0

    def open(self) -> FrameReader:
        from ostrack_edge.runtime.errors import SourceError

        if self.fail_to_open:
            self.fail_to_open -= 1
            raise SourceError("list does not open")
        self.opened += 1
        return self

    def read(self) -> Grab | None:
        self.go_on.wait(10)
        time.sleep(self.pause)
        if self._next >= len(self.frames):
            return None
        item = self.frames[self._next]
        self._next += 1
        if isinstance(item, Exception):
            raise item
        return Grab.now(item)

    def close(self) -> None:
        self.closed += 1


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition that another thread brings about; fails where it never comes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.005)
