"""The thread of one sink."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from ...runtime.errors import OSTrackEdgeError
from ..frames import CapturedFrame
from ..views import Event, EventKind, FrameResult, SinkStatus
from .base import Sink

log = logging.getLogger(__name__)

_FINISH_WITHIN = 30.0
"""Seconds that a sink has to write what waits when the session stops."""


class SinkRunner:
    """Feeds `sink` from a bounded queue. A sink that fails is closed, said once, and the session goes on without it.

    lossless: `offer` waits while the queue is full (files at full speed); without it the result is lost and counted.
    """

    def __init__(self, sink: Sink, lossless: bool, tell: Callable[[Event], None]) -> None:
        self._sink = sink
        self._lossless = lossless
        self._say = tell
        self._changed = threading.Condition()
        self._waiting: deque[tuple[CapturedFrame | None, FrameResult] | Event] = deque()
        self._ending = False
        self._written = self._lost = 0
        self._reason = ""
        self._opened = False
        self.error: Exception | None = None
        """What ended it, None while it works."""
        self._thread = threading.Thread(target=self._run, name=f"sink {sink.name}", daemon=True)

    @property
    def status(self) -> SinkStatus:
        return SinkStatus(self._sink.name, self._written, self._lost, self._reason)

    def start(self) -> None:
        """Open the sink, here, so that what cannot be written to is refused before anything runs."""
        self._opened = True
        self._sink.open()
        self._thread.start()

    def offer(self, frame: CapturedFrame, result: FrameResult) -> None:
        with self._changed:
            full = len(self._waiting) >= self._sink.capacity
            if full and self._lossless:
                self._changed.wait_for(lambda: len(self._waiting) < self._sink.capacity or self._over)
                full = False
            if self._over or full:
                self._lost += 1
                return
            self._waiting.append((frame if self._sink.wants_frames else None, result))
            self._changed.notify_all()

    def tell(self, event: Event) -> None:
        with self._changed:
            # Events are few, and some of them come on the way down.
            if not self._over and len(self._waiting) < 2 * self._sink.capacity:
                self._waiting.append(event)
                self._changed.notify_all()

    def stop(self) -> None:
        """Have it write what waits, and close it."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_FINISH_WITHIN)
            if self._thread.is_alive():
                self._fail(OSTrackEdgeError(f"{self._sink.name} did not take what waited within {_FINISH_WITHIN:g} s"))
        elif self._opened and self._thread.ident is None:
            self._close()

    @property
    def _over(self) -> bool:
        return self._ending or self.error is not None

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                if isinstance(item, Event):
                    self._sink.tell(item)
                else:
                    self._sink.write(*item)
                    self._written += 1
        except Exception as error:
            self._fail(error)
        self._close()

    def _next(self) -> tuple[CapturedFrame | None, FrameResult] | Event | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            item = self._waiting.popleft() if self._waiting else None
            self._changed.notify_all()
            return item

    def _close(self) -> None:
        try:
            self._sink.close()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        with self._changed:
            first = self.error is None
            self.error = self.error or error
            self._reason = str(self.error)
            self._lost += sum(not isinstance(item, Event) for item in self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        if not first:
            return
        if not isinstance(error, OSTrackEdgeError):
            log.error("%s failed", self._sink.name, exc_info=error)
        self._say(Event(EventKind.SINK, f"{self._sink.name} has failed: {error}", time.time()))
