"""Image files: which of a folder are frames, in which order, and how one is read without overlooking damage."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ..runtime.errors import FootageError
from ..runtime.opencv import cv2

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})

_JPEG_END = b"\xff\xd9"


def image_names(folder: Path) -> list[str]:
    """Names of a folder's images in natural order (2.jpg before 10.jpg), none where there is no such folder.

    Hidden files, such as a file manager's previews, are none. Raises FootageError where it cannot be listed.
    """
    if not folder.is_dir():
        return []
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_image(entry.name)]
    except OSError as error:
        raise FootageError(f"{folder} cannot be read: {error.strerror}") from None
    stems = [name.rpartition(".")[0] for name in names]
    # As in most data sets: numbers with leading zeros, whose natural order is that of their characters, told sooner.
    padded = len(set(map(len, stems))) == 1 and all(map(str.isdecimal, stems))
    return sorted(names, key=None if padded else natural_order)


def natural_order(name: str) -> list[tuple[int, str]]:
    """A key that orders runs of digits by value; the name itself settles equal ones (1.png, 01.png)."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts] + [(-1, name)]


def read_image(
    path: Path, allow_truncated: bool = False, flags: int = cv2.IMREAD_COLOR, remedy: str = "get a whole copy"
) -> np.ndarray:
    """One image as uint8 [H, W, 3], BGR; what other OpenCV `flags` give is theirs to say.

    allow_truncated: take a JPEG that ends early as it is, what is missing in grey; `remedy` ends the sentence about
    one. Raises FootageError for a file that is absent, damaged or cut short.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror}") from None
    if _jpeg_cut_short(data):
        if not allow_truncated:
            raise FootageError(f"{path} is cut short: it has no end-of-image mark; {remedy}")
        # With its end marked, the decoder fills what is missing with grey; without, it gives nothing.
        data += _JPEG_END
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        # Nothing to decode, or a header that names more pixels than OpenCV takes.
        frame = None
    if frame is None:
        raise FootageError(f"{path} is no image that can be decoded: it is damaged; replace it or take it out")
    return frame


def _is_image(name: str) -> bool:
    _, point, suffix = name.rpartition(".")
    return point + suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")


def _jpeg_cut_short(data: bytes) -> bool:
    """Whether a JPEG file's picture does not end: neither of the two marks can occur inside the compressed data."""
    return data.startswith(b"\xff\xd8") and data.rfind(_JPEG_END) < data.rfind(b"\xff\xda")
