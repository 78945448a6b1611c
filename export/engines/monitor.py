"""What the builder is given to speak to: a logger that keeps what is needed, and a monitor that can stop it.

Both are subclasses of the engine library's own classes, so they are made from the module. The builder calls them from
C++, from any thread: nothing may be raised in them.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_LIST_BEGINS = ("Layers:", "Engine Layer Information:")

Say = Callable[[str], None]
"""Told of what goes on, as "Timing graph nodes: 3 of 9"."""


@dataclass(eq=False)
class Notes:
    """What a logger has kept: the errors, and of the rest the list of layers, of whose log there may be much."""

    errors: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    layer_list: list[str] = field(default_factory=list)

    def keep(self, message: str, is_error: bool) -> None:
        if is_error:
            self.errors.append(" ".join(message.split()))
        if any(line.strip() in _LIST_BEGINS for line in message.splitlines()[:2]):
            self.layer_list.clear()
            self.layer_list.append(message)
        elif self.layer_list:
            self.layer_list.append(message)


def make_logger(module: Any, notes: Notes) -> Any:
    """A logger that writes to `notes` and nowhere else."""

    class Logger(module.ILogger):
        def __init__(self) -> None:
            module.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            notes.keep(msg, severity in (module.ILogger.ERROR, module.ILogger.INTERNAL_ERROR))

    return Logger()


class Stop:
    """Whether the build shall end, and by which signal it was asked to."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.error: Exception | None = None

    @property
    def asked(self) -> bool:
        return self.signal is not None or self.error is not None


@contextlib.contextmanager
def heeding_signals() -> Iterator[Stop]:
    """While the builder runs, Ctrl-C and termination only ask it to stop; afterwards they do what they always do.

    A Python exception must not cross the builder, which is where a signal's handler would raise it.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: object) -> None:
        stop.signal = number

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    if stop.signal is not None:
        signal.raise_signal(stop.signal)


def make_monitor(module: Any, stop: Stop, say: Say) -> Any:
    """A monitor that tells of the phases, and ends the build at its next step once it shall stop."""

    class Monitor(module.IProgressMonitor):
        def __init__(self) -> None:
            module.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            self._tell(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(f"{phase_name}: {step + 1} of {self._steps.get(phase_name, 0)}")
            return not stop.asked

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

        def _tell(self, what: str) -> None:
            try:
                say(what)
            except Exception as error:  # a terminal that has gone: raised again once the builder has ended
                stop.error = error

    return Monitor()
