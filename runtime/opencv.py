"""OpenCV, or the sentence that says how to get it."""

from __future__ import annotations

from .errors import MissingExtraError

try:
    import cv2 as cv2
except ModuleNotFoundError as error:
    # Only its absence: an OpenCV that is there and lacks a library of the system says so itself.
    if error.name != "cv2":
        raise
    raise MissingExtraError("opencv-python", "working with pictures", "cpu") from None
