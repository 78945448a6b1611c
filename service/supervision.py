"""Beside a running session: the watchdog's beats, the state for `systemctl status`, `--stats`."""

from __future__ import annotations

import logging
import threading
import time

from .notify import Notifier
from .session import Session
from .stats import stats_json, stats_line

log = logging.getLogger(__name__)

STATS_EVERY = 5.0
"""Seconds between two lines of figures."""


class Supervision:
    """A thread that looks at `session` twice a second. stats: print its figures to stdout as JSON lines."""

    def __init__(self, session: Session, notifier: Notifier, stats: bool = False) -> None:
        self._session = session
        self._notifier = notifier
        self._stats = stats
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervision", daemon=True)

    def start(self) -> None:
        """Tell the service manager that all is up, and go on telling."""
        self._notifier.ready()
        self._thread.start()

    def stop(self) -> None:
        self._notifier.stopping()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._stats:
            print(stats_json(self._session.snapshot()), flush=True)

    def __enter__(self) -> Supervision:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        watchdog = self._notifier.watchdog_seconds
        # Twice within what the manager waits for, so that one late beat costs nothing.
        pause = min(0.5, watchdog / 3) if watchdog else 0.5
        told = time.monotonic()
        warned = False
        while not self._stopping.wait(pause):
            alive = self._session.alive
            if alive:
                self._notifier.alive()
            elif not warned:
                log.error("the tracker does not answer; the watchdog is told nothing from now on")
            warned = not alive
            if time.monotonic() - told >= STATS_EVERY:
                told = time.monotonic()
                snapshot = self._session.snapshot()
                self._notifier.status(stats_line(snapshot))
                if self._stats:
                    print(stats_json(snapshot), flush=True)
