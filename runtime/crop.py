"""The published crop, byte for byte, without the published crop's padded copy of the frame.

The published tracker cuts the window, pads it with zeros to a square and resizes that with OpenCV's bilinear filter.
A window inside the frame is resized where it lies. One that reaches outside needs the zeros; but a bilinear reduction
reads only two source rows for each row of the crop, so only those are copied.
"""

from __future__ import annotations

import numpy as np

from .geometry import CropWindow
from .opencv import cv2

_KEPT_BUFFER = 32 << 20
"""Bytes up to which the padded square stays from call to call; a larger one is made anew, and mostly never touched."""


class Cropper:
    """Cuts crops of `size` x `size` pixels; holds the buffers, so that no frame allocates what the last one had.

    swap: exchange the first and third channel (BGR <-> RGB) on the way.
    """

    def __init__(self, size: int, swap: bool = False) -> None:
        self.size = size
        self._swap = swap
        self._out = np.empty((size, size, 3), np.uint8)
        self._small: dict[int, np.ndarray] = {}
        self._square = np.zeros(0, np.uint8)

    def cut(self, frame: np.ndarray, window: CropWindow) -> np.ndarray:
        """The window of the frame as uint8 [size, size, 3]; grey is repeated, alpha is left out.

        frame: uint8 [H, W] or [H, W, C] (see `check_frame`). The array is this object's own and holds until the next
        call. A window wholly outside the frame gives zeros.
        """
        if frame.ndim == 2:
            frame = frame[:, :, None]
        channels = frame.shape[2]
        if channels == 3 and not self._swap:
            self._resize(frame, window, self._out)
            return self._out
        if channels not in self._small:
            self._small[channels] = np.empty((self.size, self.size, channels), np.uint8)
        small = self._small[channels]
        self._resize(frame, window, small)
        cv2.cvtColor(small, self._conversion(channels), dst=self._out)
        return self._out

    def _conversion(self, channels: int) -> int:
        if channels == 1:
            return cv2.COLOR_GRAY2BGR
        if channels == 3:
            return cv2.COLOR_BGR2RGB
        return cv2.COLOR_BGRA2RGB if self._swap else cv2.COLOR_BGRA2BGR

    def _resize(self, frame: np.ndarray, window: CropWindow, out: np.ndarray) -> None:
        height, width, channels = frame.shape
        x1, y1, side = window
        left, right = max(x1, 0), _end(x1 + side, width)
        top, bottom = max(y1, 0), _end(y1 + side, height)
        if left >= right or top >= bottom:
            out[:] = 0
            return
        if right - left == side and bottom - top == side:
            cv2.resize(frame[top:bottom, left:right], (self.size, self.size), dst=out)
            return
        square = self._zeros(side, channels)
        columns = slice(left - x1, right - x1)
        rows = self._rows_read(side)
        if rows is None:
            inside = (slice(top - y1, bottom - y1), columns)
            square[inside] = frame[top:bottom, left:right]
        else:
            rows = rows[(rows >= top - y1) & (rows < bottom - y1)]
            inside = (rows, columns)
            square[inside] = frame[rows + y1, left:right]
        cv2.resize(square, (self.size, self.size), dst=out)
        square[inside] = 0

    def _zeros(self, side: int, channels: int) -> np.ndarray:
        count = side * side * channels
        if count > _KEPT_BUFFER:
            return np.zeros((side, side, channels), np.uint8)
        if self._square.size < count:
            self._square = np.zeros(count, np.uint8)
        return self._square[:count].reshape(side, side, channels)

    def _rows_read(self, side: int) -> np.ndarray | None:
        """Rows of a square of `side` that the bilinear filter can read, rising; None where that is most of them."""
        scale = side / self.size
        if scale < 3:
            return None
        # OpenCV works the position out in single precision: take both rows where that could round either way.
        position = (np.arange(self.size) + 0.5) * scale - 0.5
        first = np.floor(np.concatenate([position - 0.01, position + 0.01])).astype(np.intp)
        return np.unique(np.clip(np.concatenate([first, first + 1]), 0, side - 1))


def _end(end: int, limit: int) -> int:
    """Where the copied part ends: as published, the zeros begin one pixel before the frame does."""
    return end if end < limit else limit - 1
