"""COCO's JSON of instances as arrays: what is not needed is let go while the file is still being read.

The training set's file is 450 MB, most of it outlines: as Python objects they would take several GB.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...runtime.errors import FootageError


@dataclass(frozen=True, eq=False)
class CocoAnnotations:
    """photos: file names. sizes: float32 [P, 2], width and height by photo, NaN where they are not announced.
    boxes: float64 [N, 4], x, y, width, height in pixels of the photo; photo_of: int32 [N]; crowd: bool [N].
    """

    photos: tuple[str, ...]
    sizes: np.ndarray
    boxes: np.ndarray
    photo_of: np.ndarray
    crowd: np.ndarray


class _Photo(NamedTuple):
    id: int
    name: str
    width: float
    height: float


def read_annotations(path: Path) -> CocoAnnotations:
    """Photos and objects of a file. Raises FootageError where it is absent, no whole JSON, or in another format."""
    reader = _Reader(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            whole = json.load(file, object_hook=reader.take)
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FootageError(f"{path} is no whole JSON file ({error}); get a whole copy of it") from None
    return reader.gather(whole)


class _Reader:
    """Takes each JSON object as it closes: photos and objects are told by their fields, the rest is dropped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._boxes = array("d")
        self._photo_ids = array("q")
        self._crowd = array("b")

    def take(self, item: dict[str, Any]) -> object:
        if "images" in item and "annotations" in item:
            return item
        if "image_id" in item:
            self._take_object(item)
            return True
        if "file_name" in item and "id" in item:
            return self._photo(item)
        return None

    def _take_object(self, item: dict[str, Any]) -> None:
        try:
            photo, (x, y, width, height) = int(item["image_id"]), item["bbox"]
            self._boxes.extend((float(x), float(y), float(width), float(height)))
            self._photo_ids.append(photo)
            self._crowd.append(bool(item.get("iscrowd", 0)))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._damaged(
                f"object {item.get('id', '?')} should have an image_id and a bbox of x, y, width, height"
            ) from None

    def _photo(self, item: dict[str, Any]) -> _Photo:
        try:
            width, height = (float(item.get(side, "nan")) for side in ("width", "height"))
            return _Photo(int(item["id"]), str(item["file_name"]), width, height)
        except (TypeError, ValueError):
            raise self._damaged(f"photo {item['id']!r} should have a number as its id, width and height") from None

    def gather(self, whole: object) -> CocoAnnotations:
        """All that was taken, once the outermost object is known."""
        photos = whole.get("images") if isinstance(whole, dict) else None
        objects = whole.get("annotations") if isinstance(whole, dict) else None
        if not isinstance(photos, list) or not isinstance(objects, list):
            raise self._damaged("its outermost object should have the lists images and annotations")
        if not all(isinstance(photo, _Photo) for photo in photos):
            raise self._damaged("every entry of images should have an id and a file_name")
        if len(objects) != len(self._crowd) or not all(item is True for item in objects):
            raise self._damaged("every entry of annotations should have an image_id and a bbox")
        return CocoAnnotations(
            photos=tuple(photo.name for photo in photos),
            sizes=np.array([(photo.width, photo.height) for photo in photos], np.float32).reshape(-1, 2),
            boxes=np.frombuffer(self._boxes, np.float64).reshape(-1, 4),
            photo_of=self._places([photo.id for photo in photos]),
            crowd=np.frombuffer(self._crowd, np.int8) != 0,
        )

    def _places(self, ids: list[int]) -> np.ndarray:
        """By object, where its photo stands among those of these ids: int32 [N]."""
        wanted = np.frombuffer(self._photo_ids, np.int64)
        if not len(wanted):
            return np.zeros(0, np.int32)
        held = np.array(ids, np.int64)
        lacking = ~np.isin(wanted, held)
        if lacking.any():
            count, first = int(lacking.sum()), int(wanted[lacking][0])
            raise self._damaged(f"{count} of its objects are of photos that it does not list, such as photo {first}")
        order = np.argsort(held, kind="stable")
        return order[np.searchsorted(held[order], wanted)].astype(np.int32)

    def _damaged(self, what: str) -> FootageError:
        return FootageError(
            f"{self._path} is no whole file of COCO's detection annotations: {what}; get a whole copy of it, such as "
            "annotations/instances_train2017.json"
        )
