"""The window: live picture, targets, keys. OpenCV wants it on the main thread."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

import numpy as np

from ..runtime.errors import InputError, OutputError
from ..runtime.geometry import Box
from ..runtime.opencv import cv2
from .overlay import LiveOverlay
from .session import Session

TITLE = "ostrack-track: a adds a target, d removes the last, space pauses, q leaves"
_WAIT_MS = 10
_ESCAPE = 27


def check_display() -> None:
    """Raise OutputError where no window can be shown: OpenCV itself would end the process, with no error to catch."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OutputError(
            "there is no display for a window (neither DISPLAY nor WAYLAND_DISPLAY is set); "
            "use `ostrack-track camera --no-window` with --out or --results"
        )
    if re.search(r"GUI:\s+(NONE|NO)\b", cv2.getBuildInformation()):
        raise OutputError("this OpenCV was built without windows; use --no-window with --out or --results")


class Window:
    """Shows a session until the user leaves or the session ends."""

    def __init__(self, session: Session, note: str = "") -> None:
        self._session = session
        self._overlay = LiveOverlay(note)
        self._shown = -1

    def run(self) -> None:
        """Raises OutputError where there is no display, and what ended the session where that failed."""
        check_display()
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        try:
            while not self._session.wait(0) and self._show():
                if not self._obey(cv2.waitKey(_WAIT_MS) & 0xFF):
                    return
        finally:
            cv2.destroyWindow(TITLE)

    def _show(self) -> bool:
        """Draw the newest frame; False once the window was closed."""
        snapshot = self._session.snapshot()
        if snapshot.frame is not None and snapshot.result is not None and snapshot.frame.number != self._shown:
            self._shown = snapshot.frame.number
            image = snapshot.frame.image.copy()
            self._overlay.draw(image, snapshot.result)
            cv2.imshow(TITLE, image)
        return cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1 or self._shown < 0

    def _obey(self, key: int) -> bool:
        """Do what a key says; False to leave."""
        keys: dict[int, Callable[[], None]] = {ord("a"): self._add, ord("d"): self._remove, ord(" "): self._pause}
        if key in (ord("q"), _ESCAPE):
            return False
        if key in keys:
            try:
                keys[key]()
            except InputError as error:
                print(error, file=sys.stderr)
        return True

    def _add(self) -> None:
        frame = self._session.hold_frame()
        try:
            x, y, width, height = cv2.selectROI(TITLE, np.ascontiguousarray(frame.image), showCrosshair=False)
            if width and height:
                self._session.add_target(Box(x, y, width, height), frame=frame.number)
        finally:
            self._session.release_frame(frame.number)

    def _remove(self) -> None:
        targets = self._session.snapshot().targets
        if targets:
            self._session.remove_target(targets[-1].result.id)

    def _pause(self) -> None:
        if self._session.snapshot().paused:
            self._session.resume()
        else:
            self._session.pause()
