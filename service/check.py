"""Frames that show nothing new: of one plain colour, or byte for byte the one before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..runtime.opencv import cv2

_PLAIN = 2.0
"""Standard deviation, in grey levels, that no channel of a plain frame reaches."""

_THUMBNAIL = (64, 36)


class Seen(NamedTuple):
    """blank: one plain colour (black, a camera's blue); frozen: the frame before once more."""

    blank: bool
    frozen: bool


class FrameCheck:
    """Looks at each frame in turn; costs a few microseconds, and a comparison of whole frames only where they seem the
    same."""

    def __init__(self) -> None:
        self._thumbnail: np.ndarray | None = None
        self._image: np.ndarray | None = None

    def look(self, image: np.ndarray) -> Seen:
        """image: uint8 [H, W, 3]."""
        thumbnail = cv2.resize(image, _THUMBNAIL, interpolation=cv2.INTER_NEAREST)
        before, image_before = self._thumbnail, self._image
        self._thumbnail, self._image = thumbnail, image
        _, deviation = cv2.meanStdDev(thumbnail)
        if float(deviation.max()) < _PLAIN:
            # The thumbnail misses what is smaller than its steps: ask the frame itself.
            _, deviation = cv2.meanStdDev(image)
            if float(deviation.max()) < _PLAIN:
                return Seen(True, False)
        if before is None or image_before is None or not np.array_equal(before, thumbnail):
            return Seen(False, False)
        return Seen(False, np.array_equal(image_before, image))
