"""How a run is asked to stop, and how its processes agree on it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType

import torch
from lightning_fabric import Fabric
from torch import Tensor


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that fills when the process is asked to stop, by SIGINT or SIGTERM.

    A second SIGINT raises KeyboardInterrupt, as the step that the first one waits for may never end: a disk that does
    not answer. Worker processes that were begun inside end with it.
    """
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in asked:
            raise KeyboardInterrupt
        asked.append(number)

    others = multiprocessing.active_children()
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    except KeyboardInterrupt:
        _kill([worker for worker in multiprocessing.active_children() if worker not in others])
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_signals() -> None:
    """Have a worker process leave it to the process that it works for to heed signals: Ctrl-C reaches all of them, and
    so does the SIGTERM of `timeout` or of a service manager."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Agreement:
    """Has several processes stop at one step, whichever of them was asked. asked: this one's list of signals."""

    def __init__(self, fabric: Fabric, asked: list[int]) -> None:
        self._fabric, self._asked = fabric, asked
        self._told: Tensor | None = None

    def signal(self) -> int:
        """The signal to stop on, 0 for none; all processes call it after every step.

        Several tell each other in each step, and hear it in the next one: reading it at once would have the processor
        wait for the GPU.
        """
        number = max(self._asked, default=0)
        if self._fabric.world_size == 1:
            return number
        heard, mine = self._told, torch.full((), number, device=self._fabric.device)
        told = self._fabric.all_reduce(mine, reduce_op="max")
        assert isinstance(told, Tensor)
        self._told = told
        return 0 if heard is None else int(heard)


def _kill(workers: list[BaseProcess]) -> None:
    # They heed nothing gentler. torch's handler of SIGCHLD would take their end for an accident.
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for worker in workers:
        worker.kill()
        worker.join()
    signal.signal(signal.SIGCHLD, before)
