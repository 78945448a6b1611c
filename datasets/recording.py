"""Video files being written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..runtime.errors import FootageError
from ..runtime.files import check_place, whole_or_nothing
from ..runtime.opencv import cv2

VIDEO_CODECS: Mapping[str, str] = MappingProxyType({".mp4": "mp4v", ".avi": "MJPG"})
"""Codec by the file's extension, of those that need no encoder beyond what comes with OpenCV."""


def check_video_name(path: Path) -> None:
    """Raise FootageError unless the name ends in an extension that can be written."""
    if path.suffix.lower() not in VIDEO_CODECS:
        raise FootageError(f"{path} cannot be written as a video; give a name that ends in {' or '.join(VIDEO_CODECS)}")


@contextmanager
def record_video(path: Path, size: tuple[int, int], fps: float) -> Iterator[Recording]:
    """A video being written under a temporary name, which becomes `path` when the block ends without an error.

    size: width, height in pixels. Raises FootageError where it cannot be opened, or where not every frame reached the
    disk: then, as after any other error, what `path` held before still stands.
    """
    check_video_name(path)
    check_place(path)
    with whole_or_nothing(path) as partial:
        recording = Recording(path, partial, size, fps)
        try:
            yield recording
            recording.finish()
        finally:
            recording.release()


class Recording:
    """Takes the frames of one video; made by `record_video`.

    The codecs store pairs of pixels: of an odd width or height the last column or row is left out.
    """

    def __init__(self, path: Path, partial: Path, size: tuple[int, int], fps: float) -> None:
        self._path = path
        self._partial = partial
        self._shape = (size[1], size[0], 3)
        self._written = 0
        self._finished = False
        codec = cv2.VideoWriter.fourcc(*VIDEO_CODECS[path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(partial), codec, fps, size)
        if not self._writer.isOpened():
            raise FootageError(
                f"{path} cannot be written: OpenCV opened no writer for {size[0]} x {size[1]} pixels at {fps:g} "
                "frames/s there; check that the folder can be written and the disk has space"
            )

    def write(self, frame: np.ndarray) -> None:
        """Append a frame: uint8 [H, W, 3], BGR, of the recording's size. Raises FootageError for another."""
        if frame.shape != self._shape or frame.dtype != np.uint8:
            # OpenCV would leave the frame out without a word.
            raise FootageError(
                f"a frame of {list(frame.shape)} {frame.dtype} does not fit {self._path}, "
                f"which takes {list(self._shape)} uint8"
            )
        self._writer.write(frame)
        self._written += 1

    def finish(self) -> None:
        """Close the file and count what it holds, since the writer never says that a disk is full.

        Raises FootageError unless every frame that was written can be read back.
        """
        if self._finished:
            return
        self.release()
        reader = cv2.VideoCapture(str(self._partial))
        held = 0
        while reader.grab():
            held += 1
        reader.release()
        if held != self._written:
            raise FootageError(
                f"{self._path} could not be written: {held} of {self._written} frames reached the disk; "
                "is it full? free some space there and run it again"
            )
        self._finished = True

    def release(self) -> None:
        """Close the file as it is."""
        self._writer.release()
