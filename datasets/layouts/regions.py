"""The VOT challenges' regions as text: a box, a polygon, a run-length mask, or a code for the absence of one.

The format and its conversion to boxes are those of the VOT toolkit: a polygon's box spans its corners, a mask's box its
pixels. https://github.com/votchallenge/toolkit
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...runtime.errors import FootageError

_MOST_PIXELS = 2**27
"""No frame has more; a window that has is damage, and would be laid out in memory."""

NO_BOX = np.full(4, np.nan)
NO_BOX.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Region:
    """box: float64 [4], x, y, width, height in pixels, NaN where there is none. polygon: float64 [K, 2] or None."""

    box: np.ndarray
    polygon: np.ndarray | None = None

    @property
    def empty(self) -> bool:
        return bool(np.isnan(self.box).any())


def parse_region(line: str, where: str) -> Region:
    """The region that a line of a VOT truth file names. Raises FootageError naming `where` for anything else."""
    text = line.strip()
    try:
        if text.startswith("m"):
            return Region(_mask_box(np.array([int(part) for part in text[1:].split(",")])))
        values = np.array([float(part) for part in text.replace(",", " ").split()])
    except ValueError:
        values = np.empty(0)
    if np.isinf(values).any():
        values = np.empty(0)
    if np.isnan(values).any():
        return Region(NO_BOX)
    if len(values) == 1:
        # A code: 0 unknown, 1 initialisation, 2 failure; none of them is a place.
        return Region(NO_BOX)
    if len(values) == 4:
        return Region(values)
    if len(values) >= 6 and len(values) % 2 == 0:
        corners = values.reshape(-1, 2)
        low, high = corners.min(axis=0), corners.max(axis=0)
        return Region(np.concatenate([low, high - low]), corners)
    raise FootageError(
        f"{where} should be a box x,y,w,h, a polygon x1,y1,x2,y2,..., a mask m... or a code, not {text[:60]!r}"
    )


def mask_box(mask: np.ndarray) -> np.ndarray:
    """The box of a mask's set pixels, bool [H, W]: float64 [4], NaN where none is set."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return NO_BOX
    x, y = columns[0], rows[0]
    return np.array([x, y, columns[-1] - x + 1, rows[-1] - y + 1], np.float64)


def _mask_box(numbers: np.ndarray) -> np.ndarray:
    """From x, y, width, height of a window and the lengths of its runs, of 0 first, row by row. ValueError if wrong."""
    if len(numbers) < 5 or (numbers[2:] < 0).any():
        raise ValueError
    x, y, width, height = numbers[:4]
    runs = numbers[4:]
    if width * height > _MOST_PIXELS or runs.sum() > width * height:
        raise ValueError
    pixels = np.zeros(width * height, bool)
    lit = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    pixels[: len(lit)] = lit
    return mask_box(pixels.reshape(height, width)) + np.array([x, y, 0, 0], np.float64)
