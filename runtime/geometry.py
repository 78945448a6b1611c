"""Boxes: the one place where they are checked, turned into crop windows, mapped back and clipped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .errors import InputError

CLIP_MARGIN = 10.0
"""Pixels of a box that stay inside the frame, as published."""

MAX_CROP_SIDE = 32_000
"""Largest crop window in frame pixels; a frame of 8K and a box that fills it stay below."""


MAX_COORDINATE = 1e6
"""Pixels; no camera's frame comes near."""


class Box(NamedTuple):
    """`x`, `y` of the top left corner, `width`, `height`, in pixels of the frame."""

    x: float
    y: float
    width: float
    height: float


class CropWindow(NamedTuple):
    """A square of the frame: left, top and side in whole pixels; it may reach outside the frame."""

    x: int
    y: int
    side: int


def check_box(box: Sequence[float], what: str = "the box") -> Box:
    """`box` as a Box of Python floats. Raises InputError unless it is four finite numbers with a positive size."""
    try:
        values = [float(v) for v in box]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what} must be four numbers x, y, width, height, not {box!r}") from None
    if len(values) != 4:
        raise InputError(f"{what} must be four numbers x, y, width, height, not {len(values)}")
    if not all(map(math.isfinite, values)):
        raise InputError(f"{what} has a coordinate that is not finite: {', '.join(map(str, values))}")
    if max(map(abs, values)) > MAX_COORDINATE:
        raise InputError(f"{what} has a coordinate beyond {MAX_COORDINATE:g} pixels: {max(values, key=abs):g}")
    if values[2] <= 0 or values[3] <= 0:
        raise InputError(f"{what} is empty: width {values[2]:g}, height {values[3]:g}; both must be above 0")
    return Box(*values)


def crop_window(box: Box, factor: float) -> CropWindow:
    """The square of side ceil(sqrt(w * h) * factor) around the box's centre, rounded as published (half to even)."""
    side = math.ceil(math.sqrt(box.width * box.height) * factor)
    if side < 1:
        raise InputError(f"a box of {box.width:g} x {box.height:g} pixels is too small to crop around")
    if side > MAX_CROP_SIDE:
        raise InputError(
            f"a box of {box.width:g} x {box.height:g} pixels asks for a crop of {side} pixels; at most {MAX_CROP_SIDE}"
        )
    return CropWindow(
        round(box.x + 0.5 * box.width - side * 0.5),
        round(box.y + 0.5 * box.height - side * 0.5),
        side,
    )


def map_box_back(crop_box: Sequence[float], previous: Box, scale: float, search_size: int) -> Box:
    """From the network's box to the frame.

    crop_box: centre x, centre y, width, height in 0..1 of the crop; previous: the box that the crop was cut around;
    scale: crop pixels per frame pixel. The crop's centre is taken to be the previous box's centre, as published.
    """
    cx, cy, w, h = (float(v) * search_size / scale for v in crop_box)
    half = 0.5 * search_size / scale
    cx += previous.x + 0.5 * previous.width - half
    cy += previous.y + 0.5 * previous.height - half
    return Box(cx - 0.5 * w, cy - 0.5 * h, w, h)


def clip_box(box: Box, height: int, width: int, margin: float = CLIP_MARGIN) -> Box:
    """The box cut to a frame of height x width, at least `margin` pixels wide and high, as published."""
    x1, y1, w, h = box
    x2, y2 = x1 + w, y1 + h
    x1 = min(max(0.0, x1), width - margin)
    x2 = min(max(margin, x2), float(width))
    y1 = min(max(0.0, y1), height - margin)
    y2 = min(max(margin, y2), float(height))
    return Box(x1, y1, max(margin, x2 - x1), max(margin, y2 - y1))


def template_box(box: Box, scale: float, size: int) -> np.ndarray:
    """Where the target lies in its own template crop: float32 [4], x, y, w, h in 0..1 of the crop.

    scale: crop pixels per frame pixel; size: the crop's side. As published, the centre is (size - 1) / 2 pixels.
    """
    w, h = box.width * scale, box.height * scale
    centre = (size - 1) / 2
    return np.asarray([centre - 0.5 * w, centre - 0.5 * h, w, h], np.float32) / np.float32(size)


def hann_window(side: int) -> np.ndarray:
    """The published Hann window: float32 [side, side], the outer product of 0.5 * (1 - cos(2 pi i / (side + 1))) with
    itself, i = 1..side."""
    i = np.arange(1, side + 1, dtype=np.float64)
    row = 0.5 * (1 - np.cos(2 * np.pi * i / (side + 1)))
    return np.outer(row, row).astype(np.float32)
