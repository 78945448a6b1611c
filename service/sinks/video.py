"""The annotated video."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ...datasets.recording import Recording, check_video_name
from ...runtime.errors import FootageError
from ...runtime.files import check_place, whole_or_nothing
from ...runtime.opencv import cv2
from ..frames import CapturedFrame
from ..overlay import LiveOverlay
from ..views import Event, FrameResult


class VideoSink:
    """Writes every frame that it is given with what was found drawn in; `.mp4` or `.avi`, decided by the name.

    fps: of the file. A camera that gives fewer frames, or loses some, makes a film that runs faster than life. The file
    has its name when it is closed, and plays from then on; of a run that is killed nothing is left. Frames of another
    size than the first are fitted in, with black beside them.
    """

    wants_frames = True
    capacity = 16

    def __init__(self, path: Path, fps: float, note: str = "") -> None:
        self._path = path
        self._fps = fps
        self._overlay = LiveOverlay(note)
        self._stack = ExitStack()
        self._partial: Path | None = None
        self._recording: Recording | None = None
        self._size = (0, 0)
        self._written = 0

    @property
    def name(self) -> str:
        return str(self._path)

    def open(self) -> None:
        check_video_name(self._path)
        check_place(self._path)

    def write(self, frame: CapturedFrame | None, result: FrameResult) -> None:
        assert frame is not None
        if self._recording is None:
            self._begin(frame)
        image = frame.image.copy()
        self._overlay.draw(image, result)
        assert self._recording is not None
        self._recording.write(_fitted(image, self._size))
        self._written += 1

    def tell(self, event: Event) -> None:
        """Events are not drawn."""

    def close(self) -> None:
        recording, self._recording = self._recording, None
        with self._stack:
            if recording is None:
                return
            recording.release()
            assert self._partial is not None
            self._check_whole(self._partial)

    def _begin(self, frame: CapturedFrame) -> None:
        self._size = frame.size
        self._partial = self._stack.enter_context(whole_or_nothing(self._path))
        self._recording = Recording(self._path, self._partial, self._size, self._fps)

    def _check_whole(self, path: Path) -> None:
        """By the file's own count: a day's film is too long to be read again while the service stops."""
        reader = cv2.VideoCapture(str(path))
        held = round(reader.get(cv2.CAP_PROP_FRAME_COUNT)) if reader.isOpened() else 0
        reader.release()
        if held != self._written:
            raise FootageError(
                f"{self._path} could not be written: it holds {held} of {self._written} frames; is the disk full?"
            )


def _fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`image` reduced or enlarged into `size`, width and height, its sides in proportion."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    inner = cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    out = np.zeros((size[1], size[0], 3), np.uint8)
    y, x = (size[1] - inner.shape[0]) // 2, (size[0] - inner.shape[1]) // 2
    out[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    return out
