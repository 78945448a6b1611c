"""Folders of photos: what is listed, and which patches of a photo become targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ostrack_edge.runtime.errors import FootageError
from ostrack_edge.train.data.photos import LIST, Patches, Photo, read_photos
from ostrack_edge.train.data.pictures import Pictures


def write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_without_a_list_every_image_is_a_photo(tmp_path: Path) -> None:
    for name in ("10.png", "2.png"):
        write(tmp_path / name, noise(4, 4))
    (tmp_path / "notes.txt").write_text("no photo")
    assert read_photos(tmp_path) == [Photo(tmp_path / "2.png"), Photo(tmp_path / "10.png")]
    with pytest.raises(FootageError, match=r"holds no images and no photos\.json"):
        read_photos(tmp_path / "nowhere")


def test_a_list_in_the_folder_goes_before_one_beside_it(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    (tmp_path / LIST).write_text(json.dumps([{"file": "a.jpg", "segments": "a.png"}, {"file": "b.jpg"}]))
    assert read_photos(root) == [Photo(root / "a.jpg", root / "a.png"), Photo(root / "b.jpg")]
    (root / LIST).write_text(json.dumps([{"file": "c.jpg", "segments": None}]))
    assert read_photos(root) == [Photo(root / "c.jpg")]


@pytest.mark.parametrize(
    "listed",
    [
        ["a.jpg"],
        [None],
        {"file": "a.jpg"},
        [{"segments": "a.png"}],
        [{"file": 5}],
        [{"file": "/etc/passwd"}],
        [{"file": "../a.jpg"}],
        [{"file": "a\0.jpg"}],
        [{"file": "a.jpg", "segments": "x/../../a.png"}],
        [{"file": "a.jpg", "segments": 3}],
        7,
    ],
)
def test_a_damaged_list(tmp_path: Path, listed: Any) -> None:
    (tmp_path / LIST).write_text(json.dumps(listed))
    with pytest.raises(FootageError, match=r"photos\.json should be a list of objects with file"):
        read_photos(tmp_path)


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "[]"])
def test_a_list_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / LIST).write_text(text)
    with pytest.raises(FootageError, match=r"photos\.json (should be a list|lists no photos)"):
        read_photos(tmp_path)


def test_patches_lie_in_the_photo(tmp_path: Path) -> None:
    source = Patches(tmp_path, [Photo(write(tmp_path / "a.png", noise(90, 240)))], Pictures())
    random = np.random.default_rng(0)
    boxes = []
    for _ in range(500):
        pair = source.draw(random)
        assert pair.template == pair.search
        boxes.append(pair.search.box)
    x, y, width, height = np.array(boxes).T
    assert min(x.min(), y.min()) >= 0
    assert (x + width).max() <= 240
    assert (y + height).max() <= 90
    aspect = width / height
    assert (aspect.min(), aspect.max()) == pytest.approx((np.exp(-0.9), np.exp(0.9)), rel=0.05)
    sizes = np.sqrt(width * height)
    assert (sizes.min(), sizes.max()) == pytest.approx((20, 0.35 * 90), rel=0.03)


def test_patches_are_where_there_is_something_to_see(tmp_path: Path) -> None:
    picture = np.full((200, 400, 3), 128, np.uint8)
    picture[:, 200:] = noise(200, 200)
    source = Patches(tmp_path, [Photo(write(tmp_path / "a.png", picture))], Pictures())
    random = np.random.default_rng(0)
    seen = [source.draw(random).search.box for _ in range(300)]
    assert np.mean([box.x + box.width > 200 for box in seen]) > 0.97
    # Where there is nothing, any patch is as good.
    flat = Patches(tmp_path, [Photo(write(tmp_path / "b.png", picture[:, :150]))], Pictures())
    assert flat.draw(random).search.box.width > 0


@pytest.mark.parametrize("shape", [(8, 8), (5, 300), (300, 3), (1, 1)])
def test_small_photos_have_patches_too(tmp_path: Path, shape: tuple[int, int]) -> None:
    source = Patches(tmp_path, [Photo(write(tmp_path / "a.png", noise(*shape)))], Pictures())
    random = np.random.default_rng(0)
    for _ in range(30):
        x, y, width, height = source.draw(random).search.box
        assert min(x, y) >= 0
        assert min(width, height) > 0
        assert x + width <= shape[1] + 1e-9
        assert y + height <= shape[0] + 1e-9
