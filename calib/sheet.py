"""A picture of calibration crops, to see at a glance whether they show what a tracker will see."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..runtime.errors import OutputError
from ..runtime.files import check_place, whole_or_nothing
from ..runtime.network import ColorOrder
from ..runtime.opencv import cv2
from .crops import CalibrationCrops

CELL, INSET = 128, 44
"""Pixels of a search region, and of the template in its corner."""

HELD_BACK = (0, 140, 255)
"""BGR of the frame around search regions that are held back: orange."""

_WHITE = (255, 255, 255)
_SUFFIXES = (".jpg", ".jpeg", ".png")


def check_sheet(path: Path) -> None:
    """Raise OutputError unless a picture can be made, or replaced, at `path`."""
    if path.suffix.lower() not in _SUFFIXES:
        raise OutputError(f"{path} cannot be written as a picture; give a name that ends in {', '.join(_SUFFIXES)}")
    check_place(path)


def write_sheet(path: Path, crops: CalibrationCrops) -> None:
    """Write the contact sheet, whole or not at all. Raises OutputError."""
    check_sheet(path)
    encoded = cv2.imencode(path.suffix, contact_sheet(crops))[1]
    with whole_or_nothing(path) as partial:
        partial.write_bytes(encoded.tobytes())


def contact_sheet(crops: CalibrationCrops) -> np.ndarray:
    """The search regions in rows, each with its template, and the target's box there, in the upper left corner.

    uint8 [rows * CELL, columns * CELL, 3], BGR, about square; an orange frame marks what is held back.
    """
    count = len(crops.search)
    columns = math.ceil(math.sqrt(count))
    sheet = np.zeros((math.ceil(count / columns) * CELL, columns * CELL, 3), np.uint8)
    templates = [_template(crops, target) for target in range(len(crops.template))]
    for row in range(count):
        top, left = row // columns * CELL, row % columns * CELL
        cell = sheet[top : top + CELL, left : left + CELL]
        cell[:] = _small(crops.search[row], CELL, crops.color)
        cell[:INSET, :INSET] = templates[crops.target[row]]
        if crops.held_back[row]:
            cv2.rectangle(cell, (0, 0), (CELL - 1, CELL - 1), HELD_BACK, 3)
    return sheet


def _template(crops: CalibrationCrops, target: int) -> np.ndarray:
    picture = _small(crops.template[target], INSET, crops.color)
    x, y, width, height = crops.template_box[target].astype(float) * INSET
    corners = [(round(x), round(y)), (round(x + width), round(y + height))]
    cv2.rectangle(picture, corners[0], corners[1], _WHITE, 1)
    cv2.rectangle(picture, (0, 0), (INSET - 1, INSET - 1), _WHITE, 1)
    return picture


def _small(picture: np.ndarray, side: int, color: ColorOrder) -> np.ndarray:
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return small if color is ColorOrder.BGR else cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
