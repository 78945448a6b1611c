"""What `ostrack-track camera` does: a session, with a window or without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..runtime.errors import InputError
from .live import LiveOptions, make_session
from .notify import Notifier
from .session import Session
from .stats import stats_line
from .supervision import Supervision

_FIRST_FRAME = 20.0
"""Seconds that a source has for its first frame, with a window: a person waits for it."""


def run_camera(options: LiveOptions, window: bool = True, stats: bool = False) -> list[str]:
    """Run until the source ends, the user leaves the window, or the process is told to stop. Gives the last lines.

    With a window a source that does not open is an error; without, it is tried again for ever, as a service does.
    Raises an OSTrackEdgeError where anything fails.
    """
    if window:
        from .window import check_display

        check_display()
    elif not (options.init or options.source.startswith("scene:")):
        raise InputError("without a window no target can be drawn; say where it is with --init X,Y,W,H")
    session = make_session(options)
    with running(session, stats, _FIRST_FRAME if window else None):
        if window:
            from .window import Window

            Window(session).run()
        else:
            session.wait()
    raise_sink_errors(session)
    snapshot = session.snapshot()
    return [f"{snapshot.latency.frames} frames; {stats_line(snapshot)}"]


@contextmanager
def running(session: Session, stats: bool, wait_for_source: float | None) -> Iterator[None]:
    """A session that runs, and is stopped in order however the block ends: SIGTERM becomes SystemExit here."""
    session.start(wait_for_source)
    try:
        with Supervision(session, Notifier(), stats):
            yield
    finally:
        session.stop()


def raise_sink_errors(session: Session) -> None:
    """Raise what ended the first sink that failed, once everything else is done."""
    for error in session.sink_errors:
        raise error
