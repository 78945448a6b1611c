"""The capture thread: reads the source, keeps the newest frame, opens it again when it fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..runtime.errors import FootageError, SourceError
from .frames import CapturedFrame
from .mailbox import Mailbox
from .sources.base import BadFrameError, FrameReader, Grab, Source
from .views import Event, EventKind, SourceState, SourceStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """stall_after: seconds without a frame after which a live source is called stalled; first_pause, longest_pause:
    seconds before it is opened again, doubled after each failure in a row; bad_in_a_row: frames that cannot be decoded
    after which it is opened anew."""

    stall_after: float = 2.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    bad_in_a_row: int = 50


class Capture:
    """Puts every frame of `source` into `mailbox`, from a thread of its own, until `stop` or a file's end."""

    def __init__(
        self, source: Source, mailbox: Mailbox, patience: Patience, tell: Callable[[Event], None] = lambda event: None
    ) -> None:
        self._source = source
        self._mailbox = mailbox
        self._patience = patience
        self._tell = tell
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._state = SourceState.OPENING
        self._reason = ""
        self._captured = self._bad = self._reopened = 0
        self._last_frame = 0.0
        self._retry_at = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        """Close the source. A reader that does not come back within `timeout` seconds is left behind, which the log
        says: only a driver that hangs does that."""
        self._stopping.set()
        self._mailbox.close()
        if self._thread.is_alive():
            self._thread.join(timeout)
            if self._thread.is_alive():
                log.warning("%s does not let go of its reader; leaving it behind", self._source.name)
        if self._state is not SourceState.ENDED:
            self._enter(SourceState.STOPPED, self._reason)

    def wait_for_frame(self, timeout: float) -> None:
        """Raises SourceError where the source fails before its first frame, or gives none within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._captured or self._reason or self._over, timeout)
            if self._captured:
                return
            reason = self._reason
        raise SourceError(reason or f"{self._source.name} gave no frame within {timeout:g} s; is it in use elsewhere?")

    @property
    def ended(self) -> bool:
        """Whether no frame comes any more."""
        return self._over

    @property
    def _over(self) -> bool:
        return self._state in (SourceState.ENDED, SourceState.STOPPED)

    def status(self, blank: bool = False, frozen: bool = False) -> SourceStatus:
        """What is known of the source now; blank and frozen are the tracker's to say."""
        state, retry_in = self._state, None
        if state is SourceState.WAITING:
            retry_in = max(0.0, self._retry_at - time.monotonic())
        elif state is SourceState.LIVE and self._source.live:
            quiet = time.monotonic() - self._last_frame
            state = SourceState.STALLED if quiet > self._patience.stall_after else state
        return SourceStatus(
            self._source.name,
            state,
            self._reason,
            self._captured,
            self._mailbox.dropped,
            self._bad,
            self._reopened,
            retry_in,
            frozen,
            blank,
        )

    # ---- on its thread

    def _run(self) -> None:
        pause = self._patience.first_pause
        while not self._stopping.is_set():
            before = self._captured
            try:
                reader = self._source.open()
                try:
                    ended = self._read_all(reader)
                finally:
                    reader.close()
            except (SourceError, FootageError) as error:
                ended, reason = False, str(error)
            except Exception as error:  # a driver's or library's own; the service must outlive it
                log.exception("reading %s failed", self._source.name)
                ended, reason = False, f"{self._source.name} failed: {error}"
            else:
                reason = f"{self._source.name} gives no more frames"
            if self._stopping.is_set():
                return
            if not self._source.live:
                self._enter(SourceState.ENDED, "" if ended else reason)
                return
            if self._captured > before:
                pause = self._patience.first_pause
            self._retry_at = time.monotonic() + pause
            self._enter(SourceState.WAITING, f"{reason}; trying again in {pause:g} s")
            self._stopping.wait(pause)
            pause = min(2 * pause, self._patience.longest_pause)

    def _read_all(self, reader: FrameReader) -> bool:
        """Whether the footage came to its end."""
        bad = 0
        while not self._stopping.is_set():
            try:
                grab = reader.read()
            except BadFrameError as error:
                self._bad += 1
                bad += 1
                if bad >= self._patience.bad_in_a_row:
                    raise SourceError(
                        f"{self._source.name} gave {bad} damaged frames in a row, the last: {error}"
                    ) from None
                continue
            if grab is None:
                return True
            bad = 0
            self._take(grab)
        return False

    def _take(self, grab: Grab) -> None:
        frame = CapturedFrame(
            self._captured, grab.image, grab.captured, time.time() - (time.monotonic() - grab.captured)
        )
        self._last_frame = time.monotonic()
        if self._state is not SourceState.LIVE:
            self._reopened += self._captured > 0
            width, height = frame.size
            self._enter(SourceState.LIVE, "", f"{width} x {height} pixels")
        with self._changed:
            self._captured += 1
            self._changed.notify_all()
        self._mailbox.put(frame)

    def _enter(self, state: SourceState, reason: str, more: str = "") -> None:
        with self._changed:
            if state is self._state and reason == self._reason:
                return
            self._state, self._reason = state, reason
            self._changed.notify_all()
        text = ": ".join(part for part in (f"source {state}", reason or f"{self._source.name} {more}".strip()) if part)
        self._tell(Event(EventKind.SOURCE_STATE, text, time.time(), state=str(state)))
