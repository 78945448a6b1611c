from __future__ import annotations

import errno
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.benchmarks.accuracy import worker
from ostrack_edge.benchmarks.accuracy.entrants import Entrant
from ostrack_edge.benchmarks.accuracy.starts import Start
from ostrack_edge.benchmarks.accuracy.store import read_trajectory
from ostrack_edge.benchmarks.accuracy.worker import Done, Failed, Runner, Task, Tick
from ostrack_edge.runtime.errors import BenchmarkError

from .made import entrant_record

FRAMES = [np.full((48, 64, 3), i, np.uint8) for i in range(5)]


class Counter:
    """Says in its box which frame it was shown: x is the frame's grey value."""

    def __init__(self, fails_at: int | None = None, error: type[Exception] = BenchmarkError) -> None:
        self._fails_at, self._error = fails_at, error

    def describe(self) -> Mapping[str, str]:
        return {"library": "none"}

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        self.box = box

    def update(self, frame: np.ndarray) -> tuple[Box, float]:
        if frame[0, 0, 0] == self._fails_at:
            raise self._error("lost its way")
        return Box(float(frame[0, 0, 0]), 1, 2, 3), 0.25


@dataclass(frozen=True)
class Make:
    fails_at: int | None = None
    error: type[Exception] = BenchmarkError

    def __call__(self, threads: int) -> Counter:
        return Counter(self.fails_at, self.error)


def task(path: Path, start: Start | None = None, make: Make | None = None) -> Task:
    entrant = Entrant(entrant_record("counter"), make or Make())
    return Task(entrant, "one", FRAMES, start or Start(0, 5, Box(9, 8, 7, 6)), path)


def run(job: Task) -> list[Tick | Done | Failed]:
    said: list[Tick | Done | Failed] = []
    Runner(1, said.append).run(job)
    return said


def test_a_task_leaves_its_trajectory(tmp_path: Path) -> None:
    assert run(task(tmp_path / "r" / "one.npz")) == [Done()]
    found = read_trajectory(tmp_path / "r" / "one.npz")
    np.testing.assert_array_equal(found.boxes, [[9, 8, 7, 6], *([i, 1, 2, 3] for i in range(1, 5))])
    assert math.isnan(found.scores[0])
    assert found.scores[1:].tolist() == [0.25] * 4
    assert (found.seconds >= 0).all()
    assert (found.first, found.size, found.engine) == (0, (64, 48), {"library": "none"})


def test_later_starts_and_backward_ones(tmp_path: Path) -> None:
    run(task(tmp_path / "a.npz", Start(2, 4, Box(9, 8, 7, 6))))
    run(task(tmp_path / "b.npz", Start(3, 5, Box(9, 8, 7, 6), backward=True)))
    assert read_trajectory(tmp_path / "a.npz").boxes[:, 0].tolist() == [9, 3]
    backward = read_trajectory(tmp_path / "b.npz")
    assert backward.boxes[:, 0].tolist() == [9, 2, 1, 0]
    assert (backward.first, backward.backward) == (3, True)


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "TICK_S", 0)
    assert run(task(tmp_path / "a.npz")) == [*(Tick(i) for i in range(1, 6)), Done()]


@pytest.mark.parametrize(
    ("error", "sentence"), [(BenchmarkError, "lost its way"), (RuntimeError, "RuntimeError: lost its way")]
)
def test_a_tracker_that_fails_leaves_nothing(tmp_path: Path, error: type[Exception], sentence: str) -> None:
    path = tmp_path / "r" / "one.npz"
    assert run(task(path, make=Make(3, error))) == [Failed(sentence)]
    assert not path.parent.exists()


def test_a_disk_that_is_full_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    path = tmp_path / "one.npz"
    assert run(task(path)) == [
        Failed(f"{path} cannot be written: No space left on device; free some space there and run it again", fatal=True)
    ]
    assert list(tmp_path.iterdir()) == []
