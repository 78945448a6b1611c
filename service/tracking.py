"""The tracking thread: takes a frame and the orders, has the engine work on it, hands the result on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from ..runtime.geometry import Box
from .capture import Capture
from .engine import Engine
from .frames import CapturedFrame
from .mailbox import Mailbox
from .views import FrameResult

log = logging.getLogger(__name__)

_TURN = 0.25
"""Seconds after which the thread goes round without a frame."""

_STUCK = 10.0
"""Seconds without a round after which it counts as stuck; the first frame, in which engines warm up, takes longest."""


class TrackingThread:
    """hand_on: called after every frame. A failure of the engine ends the thread; `wait` raises it."""

    def __init__(
        self,
        engine: Engine,
        mailbox: Mailbox,
        capture: Capture,
        first_targets: Sequence[tuple[str, Box]],
        hand_on: Callable[[CapturedFrame, FrameResult], None],
    ) -> None:
        self._engine = engine
        self._mailbox = mailbox
        self._capture = capture
        self._first_targets = list(first_targets)
        self._hand_on = hand_on
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
        self._stopping = threading.Event()
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._beat = 0.0

    def start(self) -> None:
        self._beat = time.monotonic()
        self._thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        self._stopping.set()
        self._mailbox.close()
        if self._thread.is_alive():
            self._thread.join(timeout)
            if self._thread.is_alive():
                log.warning("the engine did not finish its last frame; leaving it behind")
        self._done.set()

    def wait(self, timeout: float | None) -> bool:
        """See `Session.wait`."""
        done = self._done.wait(timeout)
        if self._error is not None:
            raise self._error
        return done

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and time.monotonic() - self._beat < _STUCK

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._beat = time.monotonic()
                # Asked before: the last frame of a source is in the mailbox when it says that it has ended.
                ended = self._capture.ended
                frame = self._mailbox.take(_TURN)
                if frame is not None:
                    self._work_on(frame)
                elif ended:
                    return
        except BaseException as error:  # handed to whoever waits
            log.exception("tracking ended")
            self._error = error
        finally:
            self._mailbox.close()
            self._done.set()

    def _work_on(self, frame: CapturedFrame) -> None:
        taken = time.monotonic()
        if self._engine.paused:
            return
        while self._first_targets:
            name, box = self._first_targets.pop(0)
            self._engine.add(box, name, frame)
        self._hand_on(frame, self._engine.step(frame, taken))
