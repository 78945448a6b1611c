"""Folders of photos without boxes: random patches of them are targets.

`photos.json` in the folder, or beside it, lists them as `{"file": ...}`, with `"segments"` where a label map exists
(see `cutouts`); without it every image of the folder is a photo.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.images import image_names
from ...runtime.errors import FootageError
from ...runtime.geometry import Box
from .pictures import Pictures, inside
from .sources import Pair, View

LIST = "photos.json"

_SMALLEST, _LARGEST = 20, 0.35
"""A patch's shortest side in pixels, and its longest as a share of the photo's shorter side."""

_TEXTURE = 12.0
"""Standard deviation of grey that a patch must have to be told from its surroundings, and how often one is sought."""
_TRIES = 10


@dataclass(frozen=True)
class Photo:
    """path: the photo; segments: its label map, if there is one."""

    path: Path
    segments: Path | None = None


def read_photos(root: Path) -> list[Photo]:
    """The photos of a folder; the files are not opened. Raises FootageError."""
    listing = next((path for path in (root / LIST, root.parent / LIST) if path.is_file()), None)
    if listing is None:
        names = image_names(root)
        if not names:
            raise FootageError(f"{root} holds no images and no {LIST}; give a folder of photos")
        return [Photo(root / name) for name in names]
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))
        photos = [_photo(root, entry) for entry in entries]
    except OSError as error:
        raise FootageError(f"{listing} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise FootageError(
            f"{listing} should be a list of objects with file, and segments where there are any"
        ) from None
    if not photos:
        raise FootageError(f"{listing} lists no photos")
    return photos


class Patches:
    """Any patch of a photo that has some texture, of 0.4 to 2.5 times its height in width."""

    def __init__(self, root: Path, photos: list[Photo], pictures: Pictures) -> None:
        self.name = f"patches of {root}"
        self._photos = photos
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._photos)

    def draw(self, random: np.random.Generator) -> Pair:
        picture = self._pictures[self._photos[random.integers(len(self._photos))].path]
        view = View(picture, _textured_box(picture, random))
        return Pair(view, view)


def _textured_box(picture: np.ndarray, random: np.random.Generator) -> Box:
    box = _any_box(picture, random)
    for _ in range(_TRIES):
        x, y, width, height = (int(v) for v in box)
        if picture[y : y + height : 2, x : x + width : 2, 1].std() >= _TEXTURE:
            break
        box = _any_box(picture, random)
    return box


def _any_box(picture: np.ndarray, random: np.random.Generator) -> Box:
    height, width = picture.shape[:2]
    largest = max(_SMALLEST, _LARGEST * min(height, width))
    size = np.exp(random.uniform(np.log(_SMALLEST), np.log(largest)))
    root = np.exp(random.uniform(-0.45, 0.45))
    box_width, box_height = min(size * root, width), min(size / root, height)
    x, y = random.uniform(0, width - box_width), random.uniform(0, height - box_height)
    return Box(x, y, box_width, box_height)


def _photo(root: Path, entry: dict[str, str]) -> Photo:
    segments = entry.get("segments")
    return Photo(inside(root, entry["file"]), None if segments is None else inside(root, segments))
