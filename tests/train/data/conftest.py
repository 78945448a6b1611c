"""Miniatures of training data; every frame's grey tells which one it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

Clip = Callable[..., Path]
Coco = Callable[..., Path]

BOX = (4.0, 3.0, 12.0, 9.0)


def flat(level: int, size: tuple[int, int]) -> np.ndarray:
    """A picture of one grey: uint8 [H, W, 3]; size: width, height."""
    return np.full((size[1], size[0], 3), level, np.uint8)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """clip(name, frames, boxes): tmp_path/clips/NAME of folders of images, frame i of grey i with BOX, or as given."""

    def write(name: str, frames: int = 30, boxes: dict[int, Sequence[object]] | None = None) -> Path:
        folder = tmp_path / "clips" / name
        (folder / "img").mkdir(parents=True)
        for index in range(frames):
            assert cv2.imwrite(str(folder / "img" / f"{index:04d}.png"), flat(index, (32, 24)))
        rows = [(boxes or {}).get(index, BOX) for index in range(frames)]
        (folder / "groundtruth.txt").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        return folder.parent

    return write


@pytest.fixture
def coco(tmp_path: Path) -> Coco:
    """coco(objects, images, name): a folder laid out as COCO's, with objects as (photo, box, crowd) on photos 1 to 3.

    Photo i is of grey 10 i and 40 x 30 pixels; its id is 100 - i, so that ids are not in order.
    """

    def write(
        objects: Iterable[tuple[int, Sequence[object], int]],
        images: str = "train2017",
        name: str = "instances_train2017.json",
    ) -> Path:
        root = tmp_path / "coco"
        (root / images).mkdir(parents=True, exist_ok=True)
        (root / "annotations").mkdir(exist_ok=True)
        photos = []
        for number in (1, 2, 3):
            assert cv2.imwrite(str(root / images / f"{number:012d}.png"), flat(10 * number, (40, 30)))
            photos.append({"id": 100 - number, "file_name": f"{number:012d}.png", "width": 40, "height": 30})
        annotations = [
            {"id": i, "image_id": 100 - photo, "bbox": list(box), "iscrowd": crowd, "category_id": 1, "area": 1.0}
            | {"segmentation": {"counts": [1, 2], "size": [30, 40]} if crowd else [[1.5, 2.5, 3.5]]}
            for i, (photo, box, crowd) in enumerate(objects)
        ]
        whole = {"info": {"year": 2017}, "licenses": [{"id": 1}], "images": photos, "annotations": annotations}
        text = json.dumps({**whole, "categories": [{"id": 1, "name": "cup"}]})
        (root / "annotations" / name).write_text(text)
        return root

    return write
