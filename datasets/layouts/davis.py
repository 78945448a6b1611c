"""DAVIS (Perazzi et al., CVPR 2016; Pont-Tuset et al., 2017) and folders like it: images, and masks of every object.

JPEGImages/480p/NAME/00000.jpg with Annotations/480p/NAME/00000.png; other resolutions, and folders without that level,
are read too. Each object of a sequence's first mask is a target of its own, its box that of its pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...runtime.errors import FootageError
from ...runtime.opencv import cv2
from ..images import image_names, read_image
from ..sequence import Dataset, ImageFrames, Sequence
from .layout import Layout, found_at, image_frames, not_annotated, read_names, subfolders
from .regions import mask_box
from .selection import Selection

_FPS = 24.0

_RESOLUTIONS = ("480p", "Full-Resolution", "1080p")

_LISTS = ("2017/val.txt", "2016/val.txt")

_VOID = 255
"""Pixels that belong to nothing where objects are numbered; a single object's masks are made of it."""

_WANTED = "JPEGImages/480p/NAME/*.jpg and Annotations/480p/NAME/*.png, with ImageSets/2017/val.txt or without"


def _recognises(root: Path) -> bool:
    return (root / "JPEGImages").is_dir() and (root / "Annotations").is_dir()


def _read(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    if not _recognises(root):
        raise FootageError(f"{root} is not laid out as DAVIS: looked for {_WANTED}, {found_at(root)}")
    level = next((name for name in _RESOLUTIONS if (root / "Annotations" / name).is_dir()), "")
    masks = root / "Annotations" / level
    lists = [root / "ImageSets" / name for name in _LISTS if (root / "ImageSets" / name).is_file()]
    names = read_names(lists[0]) if lists else [folder.name for folder in subfolders(masks)]
    if not names:
        raise FootageError(f"{masks} holds no sequences: looked for {_WANTED}, {found_at(masks)}")
    images = root / "JPEGImages" / level
    opened = [name for name in names if _may_hold(name, selection)]
    read = [(name, s) for name in opened for s in _sequences(images / name, masks / name, allow_truncated)]
    chosen = selection.choose(root, read, lambda item: (item[1].name, item[0]), known=names)
    return Dataset("davis", root, tuple(sequence for _, sequence in chosen))


def _may_hold(name: str, selection: Selection) -> bool:
    """Whether a folder may hold a wanted object; its own name stands for all of them, which only its masks tell."""
    if name in selection.skip:
        return False
    return not selection.only or any(wanted == name or wanted.startswith(f"{name}_") for wanted in selection.only)


def _sequences(images: Path, masks: Path, allow_truncated: bool) -> list[Sequence]:
    frames = image_frames(images, allow_truncated)
    names = image_names(masks)
    if not names:
        raise FootageError(f"{masks} holds no masks, {found_at(masks)}; get a whole copy of the sequence")
    stems = [_stem(name) for name in frames.names]
    # The test sets give the first frame's mask alone.
    if [_stem(name) for name in names] not in (stems, stems[:1]):
        raise FootageError(
            f"{masks} holds {len(names)} masks and {images} {len(frames)} frames, and their names are not the same; "
            "get a whole copy of the sequence"
        )
    first = _labels(masks / names[0])
    objects = _objects(first)
    if not objects:
        raise FootageError(f"{masks / names[0]} marks no object; leave the sequence out")
    truth = np.full((len(objects), len(names), 4), np.nan)
    for index, name in enumerate(names):
        labels = first if index == 0 else _labels(masks / name)
        if labels.shape != first.shape:
            raise FootageError(f"{masks / name} is of another size than the first mask; get a whole copy")
        truth[:, index] = [mask_box(labels == label) for label in objects]
    return [
        _sequence(images.name if len(objects) == 1 else f"{images.name}_{label}", frames, boxes)
        for label, boxes in zip(objects, truth, strict=True)
    ]


def _sequence(name: str, frames: ImageFrames, truth: np.ndarray) -> Sequence:
    return Sequence(name, "davis", None, frames, truth, not_annotated(truth), fps=_FPS)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _objects(labels: np.ndarray) -> list[int]:
    """Numbers of the objects in a mask; the void pixels are one only where nothing else is."""
    found = [int(label) for label in np.unique(labels) if label]
    return [label for label in found if label != _VOID] or found


def _labels(path: Path) -> np.ndarray:
    """The number of every pixel's object: int [H, W].

    The masks are images with a palette, which OpenCV resolves to colours. DAVIS's is PASCAL VOC's, whose colours spell
    the number: bits 0, 3, 6 from red's highest bit down, 1, 4, 7 from green's, 2, 5 from blue's. Grey masks hold it.
    """
    image = read_image(path, flags=cv2.IMREAD_UNCHANGED)
    if image.dtype != np.uint8:
        raise FootageError(f"{path} is no mask of 8 bits; get a whole copy of it")
    if image.ndim == 2:
        return image.astype(np.int64)
    blue, green, red = (image[:, :, channel].astype(np.int64) for channel in range(3))
    if np.array_equal(blue, green) and np.array_equal(green, red):
        return blue
    labels = np.zeros(image.shape[:2], np.int64)
    for bit in range(8):
        for shift, channel in enumerate((red, green, blue)):
            labels |= ((channel >> (7 - bit)) & 1) << (3 * bit + shift)
    return labels


DAVIS = Layout("davis", "DAVIS", _WANTED, _recognises, _read)
