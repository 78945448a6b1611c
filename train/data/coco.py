"""Pairs from photos with boxes: COCO's detection annotations, and any file in their format.

Format: https://cocodataset.org/#format-data. One object of one photo is both views of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.images import read_image
from ...datasets.layouts.layout import found_at
from ...runtime.errors import FootageError, InputError
from ...runtime.geometry import MAX_COORDINATE, Box
from ...runtime.opencv import cv2
from .coco_file import read_annotations
from .sequences import MIN_SIDE
from .sources import Pair, View

_TRAINING_FILES = ("instances_train2017.json", "instances_train2014.json")
"""In the order in which they are looked for: both hold the same photos, the later one more of them."""

_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
"""Boxes count the pixels as they are stored, however the camera was held."""


@dataclass(frozen=True)
class CocoFiles:
    """annotations: a JSON file of instances; images: the folder that its file names start from."""

    annotations: Path
    images: Path


def find_coco(path: Path, images: Path | None = None) -> CocoFiles:
    """Where annotations and photos lie, from COCO's folder or from a file of annotations.

    In a folder: annotations/instances_train2017.json, else instances_train2014.json; no validation set is ever taken
    unless it is named. Photos: `images`, else the folder of the file's name, train2017, beside `annotations` or in
    images/ there, else images/ itself. Raises FootageError where one of them is not there.
    """
    annotations = path if path.is_file() else _training_file(path)
    if images is None:
        return CocoFiles(annotations, _images_of(annotations))
    if not images.is_dir():
        raise FootageError(
            f"{images} is no folder of photos: {found_at(images)}; give the one that {annotations} names"
        )
    return CocoFiles(annotations, images)


def _training_file(root: Path) -> Path:
    places = (root / "annotations", root)
    found = next((p / name for name in _TRAINING_FILES for p in places if (p / name).is_file()), None)
    if found is None:
        place = next((p for p in places if p.is_dir()), root)
        raise FootageError(
            f"{root} holds no annotations of COCO's training set: looked for annotations/"
            f"{' or annotations/'.join(_TRAINING_FILES)}, {found_at(place)}; for another file in this format give its "
            "own path, as in coco:/data/NAME.json"
        )
    return found


def _images_of(annotations: Path) -> Path:
    part = annotations.stem.removeprefix("instances_")
    # `absolute`: a file given as "a.json" has no folder of its own.
    folder = annotations.absolute().parent
    root = folder.parent if folder.name == "annotations" else folder
    places = [root / part, root / "images" / part, root / "images"]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise FootageError(
            f"the photos of {annotations} are not there: looked for {', '.join(map(str, places))}; unpack them "
            f"there, or name their folder, as in coco:{annotations},/data/photos"
        )
    return found


class CocoSource:
    """Pairs from single photos: template and search are the same object of the same photo, to be cropped apart.

    Each object is drawn as often as any other. Left out are groups (iscrowd), which are no single target, as in the
    published training, and boxes less than `min_side` pixels wide or high once cut to their photo. `notes` says how
    many in a sentence. Objects are held as two arrays, 20 bytes each.

    Raises FootageError for a file that is missing, damaged, or in another format, InputError where no object is left.
    """

    def __init__(self, files: CocoFiles, *, min_side: float = MIN_SIDE) -> None:
        found = read_annotations(files.annotations)
        self._files = files
        self._photos = found.photos
        self._sizes = found.sizes
        boxes = _cut(found.boxes, found.sizes[found.photo_of])
        single = ~found.crowd
        kept = single & (boxes[:, 2:] >= min_side).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        if not kept.any():
            raise InputError(
                f"{files.annotations} holds no object to train on, {len(boxes)} that are groups or too small"
            )
        self._boxes = boxes[kept].astype(np.float32)
        self._photo_of = found.photo_of[kept]
        groups, small = int((~single).sum()), int((single & ~kept).sum())
        self.notes: tuple[str, ...] = ()
        if groups or small:
            self.notes = (
                f"{groups + small} of {len(boxes)} objects of {self.name} are left out: {groups} groups, {small} of "
                f"less than {min_side:g} pixels",
            )

    @property
    def name(self) -> str:
        """coco: and the file of annotations."""
        return f"coco:{self._files.annotations}"

    def __len__(self) -> int:
        """How many objects are drawn from."""
        return len(self._boxes)

    def draw(self, random: np.random.Generator) -> Pair:
        """One object of one photo, twice the same view. Raises FootageError for a photo that is missing or damaged, or
        of another size than the annotations say."""
        index = int(random.integers(len(self._boxes)))
        photo = int(self._photo_of[index])
        path = self._files.images / self._photos[photo]
        picture = read_image(path, flags=_FLAGS)
        width, height = (float(side) for side in self._sizes[photo])
        if np.isfinite(self._sizes[photo]).all() and picture.shape[:2] != (height, width):
            raise FootageError(
                f"{path} has {picture.shape[1]} x {picture.shape[0]} pixels, and {width:g} x {height:g} by "
                f"{self._files.annotations}: its boxes do not fit; get the photos that belong to it"
            )
        view = View(picture, Box(*(float(value) for value in self._boxes[index])))
        return Pair(view, view)


def _cut(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Boxes cut to their photos: float64 [N, 4] x, y, width, height; sizes float32 [N, 2], NaN where not announced.

    What lies outside altogether, or is not finite, gets a width or height that is not positive.
    """
    limits = np.where(np.isnan(sizes), MAX_COORDINATE, sizes)
    with np.errstate(invalid="ignore"):
        low = np.clip(boxes[:, :2], 0, limits)
        high = np.clip(boxes[:, :2] + boxes[:, 2:], 0, limits)
    cut = np.concatenate([low, high - low], axis=1)
    cut[~np.isfinite(boxes).all(axis=1)] = 0
    return cut
