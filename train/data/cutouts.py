"""Objects cut out of photos by a label map, and moved over other photos: targets with exact boxes.

Both sights show one object, each in its own place, size and pose; other objects stand beside it, or before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...datasets.images import read_image
from ...runtime.errors import FootageError
from ...runtime.geometry import Box
from .photos import Photo
from .pictures import Pictures
from .sources import Pair, View

_AREA = (0.004, 0.2)
_MOST_BORDER = 0.15
_LEAST_FILL = 0.4
_LONGEST = 4.0
"""An object: its share of the photo's area, of its outline on the photo's edge, of its box; and its aspect."""

_SIZES = (24.0, 110.0)
"""sqrt(w * h) of a pasted object in pixels; photos are some 300 to 500 pixels wide."""


@dataclass(frozen=True)
class Cutout:
    """One object: pixels uint8 [h, w, 3], BGR, and its mask uint8 [h, w], 0 or 255, cut to its box and a margin."""

    pixels: np.ndarray
    mask: np.ndarray


def find_cutouts(photos: list[Photo], pictures: Pictures) -> list[Cutout]:
    """Every region of the photos' label maps that may be a whole object. Raises FootageError for a damaged file."""
    found = []
    for photo in photos:
        if photo.segments is not None:
            found += _objects(pictures[photo.path], _labels(photo.segments), photo.segments)
    return found


class Cutouts:
    """A pair of pictures in which one cut-out object stands, or moves."""

    def __init__(self, root: Path, photos: list[Photo], cutouts: list[Cutout], pictures: Pictures) -> None:
        if not cutouts:
            raise FootageError(f"{root}: its label maps show no whole object to cut out")
        self.name = f"objects cut out of {root}"
        self._photos = photos
        self._cutouts = cutouts
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._cutouts)

    def draw(self, random: np.random.Generator) -> Pair:
        target = self._any_cutout(random)
        others = [self._any_cutout(random) for _ in range(int(random.integers(0, 3)))]
        size = np.exp(random.uniform(*np.log(_SIZES)))
        template_scene = self._any_photo(random)
        search_scene = template_scene if random.random() < 0.5 else self._any_photo(random)
        template = _scene(template_scene, target, size, others[:1], 0.0, random)
        search = _scene(search_scene, target, size * np.exp(random.normal(0, 0.15)), others, 0.25, random)
        return Pair(template, search)

    def _any_cutout(self, random: np.random.Generator) -> Cutout:
        return self._cutouts[random.integers(len(self._cutouts))]

    def _any_photo(self, random: np.random.Generator) -> np.ndarray:
        return self._pictures[self._photos[random.integers(len(self._photos))].path]


def _scene(
    photo: np.ndarray, target: Cutout, size: float, others: list[Cutout], hidden: float, random: np.random.Generator
) -> View:
    """The target over a photo, others around it; with chance `hidden` one of them covers part of it."""
    picture = photo.copy()
    height, width = picture.shape[:2]
    centre = np.array([width, height]) * random.uniform(0.2, 0.8, 2)
    for other in others:
        away = random.normal(0, 1.5, 2) * size
        _paste(picture, other, centre + away, size * np.exp(random.normal(0, 0.3)), random)
    box = _paste(picture, target, centre, size, random)
    if others and random.random() < hidden:
        at = np.array([box.x, box.y]) + random.random(2) * [box.width, box.height]
        _paste(picture, others[0], at, size * random.uniform(0.3, 0.7), random)
    return View(picture, box)


def _paste(picture: np.ndarray, what: Cutout, centre: np.ndarray, size: float, random: np.random.Generator) -> Box:
    """Draw an object into `picture`, turned by some degrees, around `centre`; its exact box inside the picture."""
    height, width = what.mask.shape
    scale = size / np.sqrt(height * width)
    angle, stretch = np.deg2rad(random.normal(0, 12)), np.exp(random.normal(0, 0.06))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag([stretch, 1 / stretch])
    reach = np.abs(linear) @ (np.array([width, height]) / 2) + 2
    start = np.floor(centre - reach).astype(int)
    side = np.ceil(2 * reach).astype(int)
    shift = centre - start - linear @ (np.array([width, height]) / 2)
    matrix = np.column_stack([linear, shift])
    canvas = (int(side[0]), int(side[1]))
    pixels = cv2.warpAffine(what.pixels, matrix, canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(what.mask, matrix, canvas, flags=cv2.INTER_LINEAR)
    light = np.exp(random.normal(0, 0.12))
    first = np.clip(start, 0, [picture.shape[1], picture.shape[0]])
    last = np.clip(start + side, 0, [picture.shape[1], picture.shape[0]])
    inside = (slice(first[1], last[1]), slice(first[0], last[0]))
    own = (slice(first[1] - start[1], last[1] - start[1]), slice(first[0] - start[0], last[0] - start[0]))
    alpha = (mask[own].astype(np.float32) / 255)[:, :, None]
    place = picture[inside]
    blended = place + alpha * (np.minimum(pixels[own] * np.float32(light), 255) - place)
    picture[inside] = np.rint(blended).astype(np.uint8)
    return _box_of(mask[own] > 127, first, centre)


def _box_of(mask: np.ndarray, first: np.ndarray, centre: np.ndarray) -> Box:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        # Turned out of the picture: whoever asked for a target keeps its centre inside, so only others come here.
        return Box(float(centre[0]), float(centre[1]), 1.0, 1.0)
    return Box(
        float(first[0] + columns[0]),
        float(first[1] + rows[0]),
        float(columns[-1] - columns[0] + 1),
        float(rows[-1] - rows[0] + 1),
    )


def _labels(path: Path) -> np.ndarray:
    labels = read_image(path, flags=cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2:
        raise FootageError(f"{path} is no label map: it should have one value per pixel, it is {list(labels.shape)}")
    return labels


def _objects(photo: np.ndarray, labels: np.ndarray, path: Path) -> list[Cutout]:
    if labels.shape != photo.shape[:2]:
        raise FootageError(f"{path} is {list(labels.shape)}, its photo is {list(photo.shape[:2])}")
    found = []
    values, areas = np.unique(labels, return_counts=True)
    for label in values[areas >= _AREA[0] * labels.size]:
        count, parts, stats, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8))
        if count > 1:
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            found += _object(photo, parts == largest, stats[largest])
    return found


def _object(photo: np.ndarray, mask: np.ndarray, stats: np.ndarray) -> list[Cutout]:
    """The region as a cut-out, or nothing where it is more likely background than a thing."""
    x, y, width, height, area = (int(v) for v in stats)
    share = area / mask.size
    aspect = max(width / height, height / width)
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).sum()
    if not _AREA[0] <= share <= _AREA[1] or aspect > _LONGEST or area < _LEAST_FILL * width * height:
        return []
    if edge > _MOST_BORDER * 2 * (width + height):
        return []
    margin = (slice(max(0, y - 1), y + height + 1), slice(max(0, x - 1), x + width + 1))
    return [Cutout(photo[margin].copy(), mask[margin].astype(np.uint8) * 255)]
