"""The newest frame as JPEG, encoded once however many look on, and not at all when nobody does."""

from __future__ import annotations

import threading
from typing import NamedTuple

from ..runtime.opencv import cv2
from .frames import CapturedFrame

LONGEST_SIDE = 960
"""Pixels; larger frames are reduced to it for looking at. Boxes stay in pixels of the frame itself."""

QUALITY = 75

_NEEDED_FOR = 2.0
"""Seconds after the last request during which frames are still encoded."""


class Picture(NamedTuple):
    """number: of the frame; jpeg: the file; size: width, height of the picture in pixels; frame_size: of the frame."""

    number: int
    jpeg: bytes
    size: tuple[int, int]
    frame_size: tuple[int, int]


class PictureFeed:
    """Encodes on a thread of its own, so that neither the tracker nor a viewer waits for another viewer."""

    def __init__(self, longest_side: int = LONGEST_SIDE, quality: int = QUALITY) -> None:
        self._longest_side = longest_side
        self._quality = quality
        self._changed = threading.Condition()
        self._frame: CapturedFrame | None = None
        self._picture: Picture | None = None
        self._viewers = 0
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, frame: CapturedFrame) -> None:
        """For the session: leave the newest frame; never waits."""
        with self._changed:
            self._frame = frame
            if self._viewers:
                self._changed.notify_all()

    def next(self, after: int | None = None, timeout: float = 5.0) -> Picture | None:
        """The newest picture whose frame is another than `after`, waiting up to `timeout` seconds for one; None where
        none comes or the session has stopped. Call it in a worker thread, in turn: a slow viewer gets fewer pictures
        and holds up nobody."""
        with self._changed:
            self._viewers += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._stopped or self._is_new(after), timeout)
                return self._picture if self._is_new(after) and not self._stopped else None
            finally:
                self._viewers -= 1

    def _is_new(self, after: int | None) -> bool:
        # A picture that is behind the newest frame was made before anyone asked: wait for a new one.
        picture, frame = self._picture, self._frame
        return picture is not None and frame is not None and picture.number == frame.number != after

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._wanted())
                if self._stopped:
                    return
                frame = self._frame
            assert frame is not None
            picture = self._encode(frame)
            with self._changed:
                self._picture = picture
                self._changed.notify_all()

    def _wanted(self) -> bool:
        frame, picture = self._frame, self._picture
        return self._viewers > 0 and frame is not None and (picture is None or picture.number != frame.number)

    def _encode(self, frame: CapturedFrame) -> Picture:
        image = frame.image
        scale = self._longest_side / max(frame.size)
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        return Picture(frame.number, data.tobytes(), (image.shape[1], image.shape[0]), frame.size)
