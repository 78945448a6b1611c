"""Pairs as the network gets them, as one picture: the only way to see that boxes and augmentation are right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from ..runtime.errors import InputError, OutputError
from ..runtime.files import check_place, whole_or_nothing
from ..runtime.network import NetworkGeometry
from .data.pairs import Pairs, Weighted
from .recipe import Recipe

_GREEN = (0, 220, 0)
_GAP = 6


def check_picture(path: Path) -> None:
    """Raises OutputError where no picture can be written, InputError for a name that is no picture's."""
    check_place(path)
    if not cv2.haveImageWriter(str(path)):
        raise InputError(f"{path} is no name of a picture; end it in .png or .jpg")


def draw_pairs(sources: Sequence[Weighted], geometry: NetworkGeometry, recipe: Recipe, count: int) -> np.ndarray:
    """The first `count` pairs of a training, template left of search region, boxes drawn: uint8 [H, W, 3], BGR."""
    pairs = Pairs(sources, geometry, recipe.jitter, recipe.augmentation, recipe.seed)
    tiles = []
    for number in range(count):
        pair = pairs[number]
        height = max(geometry.template_size, geometry.search_size)
        shown = [_boxed(pair.template, pair.template_box), _boxed(pair.search, pair.box)]
        tiles.append(np.hstack([_padded(picture, height) for picture in shown]))
    columns = max(1, round((count * tiles[0].shape[0] / tiles[0].shape[1]) ** 0.5))
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-count % columns)
    return np.vstack([np.hstack(tiles[first : first + columns]) for first in range(0, len(tiles), columns)])


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Raises OutputError."""
    with whole_or_nothing(path) as partial:
        if not cv2.imwrite(str(partial), picture):
            raise OutputError(f"{path} cannot be written; choose another place")


def _boxed(crop: Tensor, box: Tensor) -> np.ndarray:
    picture = np.ascontiguousarray(crop.numpy())
    x, y, width, height = (float(v) for v in box * picture.shape[0])
    first, last = (round(x), round(y)), (round(x + width) - 1, round(y + height) - 1)
    return cv2.rectangle(picture, first, last, _GREEN, 1)


def _padded(picture: np.ndarray, height: int) -> np.ndarray:
    below = height - picture.shape[0] + _GAP
    return cv2.copyMakeBorder(picture, 0, below, 0, _GAP, cv2.BORDER_CONSTANT)
