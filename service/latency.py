"""How long frames took from capture to box, and where the time went."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

WINDOW = 2000
"""Frames that the percentiles are taken of; the longest ever is kept beside them."""


@dataclass(frozen=True)
class Spread:
    """Milliseconds over the window; `max` too."""

    median: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True)
class LatencySummary:
    """frames: tracked since the start; in_window: those that the figures stand for; capture_to_box, stages: None and
    empty before the first; worst_ms: the longest since the start; frames_per_second: tracked, over the window;
    total_ms: sum of capture to box since the start."""

    frames: int
    in_window: int
    capture_to_box: Spread | None
    stages: Mapping[str, Spread]
    worst_ms: float
    frames_per_second: float
    total_ms: float


class Latency:
    """Collects times of frames, in bounded memory; any thread may ask for the summary."""

    def __init__(self, window: int = WINDOW) -> None:
        self._lock = threading.Lock()
        self._rows: deque[tuple[float, float, Mapping[str, float]]] = deque(maxlen=window)
        self._frames = 0
        self._worst = 0.0
        self._total = 0.0

    def add(self, finished: float, latency_ms: float, stages_ms: Mapping[str, float]) -> None:
        """finished: `time.monotonic()` at which the frame's last box was there."""
        with self._lock:
            self._rows.append((finished, latency_ms, stages_ms))
            self._frames += 1
            self._worst = max(self._worst, latency_ms)
            self._total += latency_ms

    def summary(self) -> LatencySummary:
        with self._lock:
            rows = list(self._rows)
            frames, worst, total = self._frames, self._worst, self._total
        if not rows:
            return LatencySummary(frames, 0, None, {}, worst, 0.0, total)
        names = list(dict.fromkeys(name for row in rows for name in row[2]))
        stages = {name: _spread([row[2].get(name, 0.0) for row in rows]) for name in names}
        seconds = rows[-1][0] - rows[0][0]
        rate = (len(rows) - 1) / seconds if seconds > 0 else 0.0
        return LatencySummary(frames, len(rows), _spread([row[1] for row in rows]), stages, worst, rate, total)


def _spread(values: list[float]) -> Spread:
    median, p90, p99 = np.percentile(values, [50, 90, 99]).tolist()
    return Spread(median, p90, p99, max(values))
