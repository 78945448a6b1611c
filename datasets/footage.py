"""Frames from a video file or a folder of images, with the ground truth that lies beside them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from ..runtime.errors import FootageError
from ..runtime.geometry import Box
from ..runtime.opencv import cv2
from .boxes import TRUTH_NAME, read_boxes, truth_path
from .images import IMAGE_SUFFIXES, image_names, read_image

DEFAULT_FPS = 25.0
"""Frames per second where the footage names none, as a folder of images never does."""

_HIGHEST_FPS = 1000.0
"""Above it, a file names the ticks of its clock where it has no frame rate."""

_REMEDY = "get a whole copy, or take it as it is with: ostrack-track run --allow-truncated"


def open_footage(path: str | Path, allow_truncated: bool = False) -> Footage:
    """Open a video file, or a folder of images: the folder itself or its subfolder `img`.

    allow_truncated: take a video that ends before its announced end, and JPEG images that do, as they are. Raises
    FootageError where nothing can be read; iterating raises it where the footage turns out to be damaged.
    """
    path = Path(path)
    if path.is_dir():
        return ImageFolder(path, allow_truncated)
    if not path.exists():
        raise FootageError(f"{path} does not exist; give a video file or a folder of images")
    return VideoFile(path, allow_truncated)


class Footage(ABC):
    """Frames of one size, in order. Iterating yields uint8 [H, W, 3], BGR, from the first frame on, each a new array.

    One iteration at a time; leaving the `with` block ends it and closes the file. `size` is width, height in pixels;
    `fps` the announced frame rate; `frame_count` the announced number of frames, None where none is.
    """

    size: tuple[int, int]
    fps: float
    frame_count: int | None

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def __iter__(self) -> Iterator[np.ndarray]: ...

    @property
    @abstractmethod
    def truth_file(self) -> Path | None:
        """The file of ground truth beside the footage, None where there is none."""

    @cached_property
    def truth(self) -> list[Box] | None:
        """The true boxes by frame, None where there are none. Raises FootageError for a damaged file."""
        return read_boxes(self.truth_file) if self.truth_file else None

    @abstractmethod
    def close(self) -> None:
        """Give back what reading holds open; iterating again opens it anew."""

    def __enter__(self) -> Footage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_size(self, frame: np.ndarray, what: str) -> np.ndarray:
        height, width = frame.shape[:2]
        if (width, height) != self.size:
            raise FootageError(
                f"{what} is {width} x {height} pixels, the first frame {self.size[0]} x {self.size[1]}; "
                "a tracker needs frames of one size, split the footage there"
            )
        return frame


class VideoFile(Footage):
    """A video file, decoded by OpenCV. Ground truth: NAME.groundtruth.txt beside it, else groundtruth.txt."""

    def __init__(self, path: Path, allow_truncated: bool) -> None:
        super().__init__(path)
        self._allow_truncated = allow_truncated
        self._capture: cv2.VideoCapture | None = None
        capture = self._open()
        decoded, first = capture.read()
        if not decoded:
            self.close()
            raise FootageError(f"{path} holds no frame that can be decoded; is it empty or cut short?")
        self.size = (first.shape[1], first.shape[0])
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= _HIGHEST_FPS else DEFAULT_FPS
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frame_count = int(count) if 1 <= count < 2**31 else None
        self.close()

    @property
    def truth_file(self) -> Path | None:
        return _first_file(truth_path(self.path), self.path.with_name(TRUTH_NAME))

    def __iter__(self) -> Iterator[np.ndarray]:
        capture = self._open()
        count = 0
        try:
            # A capture that was closed meanwhile, by `close` or by another iteration, gives no more frames.
            while capture is self._capture:
                decoded, frame = capture.read()
                if not decoded:
                    self._check_end(count)
                    return
                count += 1
                yield self._check_size(frame, f"{self.path}: frame {count}")
        finally:
            if capture is self._capture:
                self.close()

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _open(self) -> cv2.VideoCapture:
        self.close()
        try:
            with self.path.open("rb"):
                pass
        except OSError as error:
            raise FootageError(f"{self.path} cannot be read: {error.strerror}") from None
        capture = cv2.VideoCapture(str(self.path))
        if not capture.isOpened():
            raise FootageError(
                f"{self.path} does not open as a video: it is damaged, cut short, or of a format that OpenCV does not "
                "know; convert it, or give a folder of its frames"
            )
        self._capture = capture
        return capture

    def _check_end(self, count: int) -> None:
        """Refuse an end that comes too early.

        MP4, AVI and Matroska name the exact number. A variable frame rate, or a cut made without encoding again, shifts
        what others estimate by a frame or two, in long files by a small share: beyond that, frames are missing.
        """
        if self._allow_truncated or self.frame_count is None:
            return
        if self.frame_count - count > max(2, self.frame_count // 100):
            raise FootageError(
                f"{self.path} ends after {count} of the {self.frame_count} frames that it announces: it is cut short "
                f"or damaged; {_REMEDY}"
            )


class ImageFolder(Footage):
    """The images of a folder, in natural order (2.jpg before 10.jpg). Ground truth: groundtruth.txt beside `img`."""

    def __init__(self, path: Path, allow_truncated: bool) -> None:
        super().__init__(path)
        self._allow_truncated = allow_truncated
        self._images = _images(path / "img") or _images(path)
        if not self._images:
            raise FootageError(
                f"{path} holds no images, neither itself nor in img/; known are: {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        self.fps = DEFAULT_FPS
        self.frame_count = len(self._images)
        first = self._read(self._images[0])
        self.size = (first.shape[1], first.shape[0])

    @property
    def truth_file(self) -> Path | None:
        # `absolute`: the folder may have been given as "." or "img".
        folder = self.path.absolute()
        beside = [folder.parent / TRUTH_NAME] if folder.name == "img" else []
        return _first_file(folder / TRUTH_NAME, *beside)

    def __iter__(self) -> Iterator[np.ndarray]:
        for image in self._images:
            yield self._check_size(self._read(image), str(image))

    def close(self) -> None:
        """Nothing is open between two frames."""

    def _read(self, image: Path) -> np.ndarray:
        return read_image(image, self._allow_truncated, remedy=_REMEDY)


def _first_file(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _images(folder: Path) -> list[Path]:
    return [folder / name for name in image_names(folder)]
