"""A process that follows targets: tasks come through a pipe, results go into files, progress goes back."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic

from ...runtime.errors import OSTrackEdgeError, OutputError
from .entrants import Entrant, Follower
from .follow import FrameSource, follow
from .starts import Start
from .store import write_trajectory

TICK_S = 0.5
"""Seconds between two words of progress: rare enough not to be felt in the figures."""


@dataclass(frozen=True)
class Task:
    """One entrant on one sequence from one start; the result goes to `path`."""

    entrant: Entrant
    sequence: str
    images: FrameSource
    start: Start
    path: Path

    @property
    def frames(self) -> int:
        return len(self.start.order)

    @property
    def name(self) -> str:
        return f"{self.entrant.name} on {self.sequence}{self.start.suffix}"


@dataclass(frozen=True)
class Tick:
    """Frames of the task that are done."""

    frames: int


@dataclass(frozen=True)
class Done:
    """The task's result lies in its file."""


@dataclass(frozen=True)
class Failed:
    """The task has no result; `fatal` where no other task can be expected to have one, as on a full disk."""

    sentence: str
    fatal: bool = False


class Runner:
    """Does tasks one after the other; keeps the last tracker from task to task."""

    def __init__(self, threads: int, say: Callable[[Tick | Done | Failed], None]) -> None:
        self._threads, self._say = threads, say
        self._entrant: Entrant | None = None
        self._follower: Follower | None = None

    def run(self, task: Task) -> None:
        """Do a task and say how it went; nothing is raised that belongs to the task alone."""
        try:
            trajectory = follow(self._tracker(task.entrant), task.images, task.start, self._ticker())
        except OSTrackEdgeError as error:
            return self._say(Failed(str(error)))
        except MemoryError:
            return self._say(Failed("memory ran out; run fewer at a time with --jobs", fatal=True))
        except Exception as error:
            # A library may raise anything; the other tasks go on.
            first = str(error).strip().splitlines()[:1]
            return self._say(Failed(": ".join([type(error).__name__, *first])))
        try:
            write_trajectory(task.path, trajectory)
        except OutputError as error:
            return self._say(Failed(str(error), fatal=True))
        except OSError as error:
            return self._say(Failed(f"{task.path} cannot be written: {error.strerror or error}", fatal=True))
        return self._say(Done())

    def _tracker(self, entrant: Entrant) -> Follower:
        if self._follower is None or entrant != self._entrant:
            # The old one goes first: two large networks need not fit into memory together.
            self._follower = self._entrant = None
            self._follower = entrant.factory(self._threads)
            self._entrant = entrant
        return self._follower

    def _ticker(self) -> Callable[[int], None]:
        last = monotonic()

        def tick(done: int) -> None:
            nonlocal last
            if monotonic() - last >= TICK_S:
                last = monotonic()
                self._say(Tick(done))

        return tick


def work(pipe: Connection, threads: int) -> None:
    """Take tasks from the pipe until it closes."""
    # Ctrl-C reaches the whole group; the parent decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a library prints must not land in the parent's table.
    os.dup2(sys.stderr.fileno(), 1)
    runner = Runner(threads, pipe.send)
    # The parent has gone, or sends no more.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            runner.run(pipe.recv())
