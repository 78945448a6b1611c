"""The crop alone: ours against a plain statement of the published one, on the same boxes, taking turns."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np

from ..runtime.crop import Cropper
from ..runtime.errors import BenchmarkError
from ..runtime.geometry import Box, CropWindow, crop_window
from ..runtime.opencv import cv2

FACTOR, SIZE = 4.0, 256
"""Of ostrack-256's search region."""


@dataclass(frozen=True)
class CropTime:
    """Median and slowest milliseconds of one crop; `published_ms`: of the published way, median in the same run."""

    box_width: int
    box_height: int
    median_ms: float
    slowest_ms: float
    published_ms: float


def time_crops(width: int, height: int, repeats: int, seed: int = 0) -> list[CropTime]:
    """Crops around boxes of several sizes, each at `repeats` places of a noisy frame of width x height pixels.

    Raises BenchmarkError where a crop is not byte-equal to the published one.
    """
    random = np.random.default_rng(seed)
    frame = random.integers(0, 256, (height, width, 3), np.uint8)
    cropper = Cropper(SIZE)
    found = []
    for w, h in ((50, 50), (100, 200), (400, 400), (width // 2, height // 2), (width, height)):
        w, h = min(w, width), min(h, height)
        ours, published = [], []
        for _ in range(repeats):
            # Anywhere that at least half of it is inside, in both directions.
            corner = random.uniform((-w / 2, -h / 2), (width - w / 2, height - h / 2))
            window = crop_window(Box(float(corner[0]), float(corner[1]), w, h), FACTOR)
            begun = perf_counter()
            expected = published_crop(frame, window, SIZE)
            between = perf_counter()
            crop = cropper.cut(frame, window)
            ended = perf_counter()
            if not np.array_equal(crop, expected):
                raise BenchmarkError(f"the crop {tuple(window)} of a {width} x {height} frame is not the published one")
            published.append((between - begun) * 1e3)
            ours.append((ended - between) * 1e3)
        found.append(CropTime(w, h, median(ours), max(ours), median(published)))
    return found


def published_crop(frame: np.ndarray, window: CropWindow, size: int) -> np.ndarray:
    """Pad with zeros, from one pixel before the right and bottom edge on, then resize: uint8 [size, size, 3]."""
    height, width = frame.shape[:2]
    x1, y1, side = window
    left, top = max(0, -x1), max(0, -y1)
    right, bottom = max(x1 + side - width + 1, 0), max(y1 + side - height + 1, 0)
    inside = frame[y1 + top : y1 + side - bottom, x1 + left : x1 + side - right]
    padded = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_CONSTANT)
    return cv2.resize(padded, (size, size))
