"""Objects cut out by label maps: which regions are objects, and that the boxes are those of the painted masks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ostrack_edge.runtime.errors import FootageError
from ostrack_edge.train.data.cutouts import Cutout, Cutouts, find_cutouts
from ostrack_edge.train.data.photos import Photo
from ostrack_edge.train.data.pictures import Pictures

SIZE = (200, 300)


def write(path: Path, picture: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


def found_in(folder: Path, labels: np.ndarray) -> list[Cutout]:
    photo = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    photos = [Photo(write(folder / "a.png", photo), write(folder / "labels.png", labels))]
    return find_cutouts(photos, Pictures())


def region(rows: slice, columns: slice, value: int = 9) -> np.ndarray:
    """A label map whose rest is neither object: it covers nearly all of the photo."""
    labels = np.zeros(SIZE, np.uint8)
    labels[rows, columns] = value
    return labels


def test_an_object_is_cut_to_its_box_and_a_margin(tmp_path: Path) -> None:
    labels = region(slice(50, 90), slice(100, 150))
    (found,) = found_in(tmp_path, labels)
    photo = cv2.imread(str(tmp_path / "a.png"))
    assert photo is not None
    assert np.array_equal(found.pixels, photo[49:91, 99:151])
    assert np.array_equal(found.mask, np.pad(np.full((40, 50), 255, np.uint8), 1))


@pytest.mark.parametrize(
    ("rows", "columns", "whole"),
    [
        (slice(50, 90), slice(100, 150), True),
        (slice(50, 65), slice(100, 115), False),  # 225 of 60,000 pixels: below 0.4 %
        (slice(50, 66), slice(100, 116), True),  # 256
        (slice(20, 140), slice(50, 150), True),  # 12,000: 20 %
        (slice(20, 141), slice(50, 150), False),
        (slice(50, 70), slice(100, 180), True),  # four times as wide as high
        (slice(50, 70), slice(100, 181), False),
        (slice(50, 130), slice(100, 120), True),
        (slice(50, 131), slice(100, 120), False),
        (slice(0, 40), slice(100, 150), False),  # 50 of its 180 pixels of outline are the photo's edge
        (slice(0, 80), slice(100, 130), True),  # 30 of 220
    ],
)
def test_which_regions_are_objects(tmp_path: Path, rows: slice, columns: slice, whole: bool) -> None:
    assert len(found_in(tmp_path, region(rows, columns))) == whole


def test_a_region_that_fills_little_of_its_box_is_none(tmp_path: Path) -> None:
    for thickness, whole in ((9, False), (20, True)):
        labels = np.zeros(SIZE, np.uint8)
        labels[40:120, 100 : 100 + thickness] = 5
        labels[120 - thickness : 120, 100:180] = 5  # an L of 80 x 80
        assert len(found_in(tmp_path, labels)) == whole


def test_of_a_label_in_pieces_the_largest_counts(tmp_path: Path) -> None:
    labels = region(slice(50, 90), slice(100, 150))
    labels[120:150, 200:230] = 9
    labels[10:40, 10:40] = 8
    assert sorted(c.mask.shape for c in found_in(tmp_path, labels)) == [(32, 32), (42, 52)]
    # Of 16 bits, and where 0 is an object as any other value.
    deep = np.full(SIZE, 60_000, np.uint16)
    deep[50:90, 100:150] = 0
    assert [c.mask.shape for c in found_in(tmp_path, deep)] == [(42, 52)]


def test_a_map_of_noise_takes_no_longer_than_a_map(tmp_path: Path) -> None:
    labels = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE)
    began = time.process_time()
    assert found_in(tmp_path, labels) == []
    assert time.process_time() - began < 2


def test_damaged_maps(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"labels\.png is \[100, 300\], its photo is \[200, 300\]"):
        found_in(tmp_path, np.zeros((100, 300), np.uint8))
    with pytest.raises(FootageError, match="is no label map: it should have one value per pixel"):
        found_in(tmp_path, np.zeros((*SIZE, 3), np.uint8))
    (tmp_path / "labels.png").write_bytes(b"nonsense")
    with pytest.raises(FootageError, match="no image that can be decoded"):
        find_cutouts([Photo(tmp_path / "a.png", tmp_path / "labels.png")], Pictures())
    with pytest.raises(FootageError, match="show no whole object"):
        Cutouts(tmp_path, [Photo(tmp_path / "a.png")], [], Pictures())


@pytest.fixture
def source(tmp_path: Path) -> Cutouts:
    """One object, white and elliptic, over black photos: what is bright is the target, or others of its kind."""
    mask = np.zeros((62, 42), np.uint8)
    cv2.ellipse(mask, (20, 30), (19, 29), 0, 0, 360, 255, -1)
    photos = [Photo(write(tmp_path / f"{i}.png", np.zeros((240, 320, 3), np.uint8))) for i in range(2)]
    return Cutouts(tmp_path, photos, [Cutout(np.full((62, 42, 3), 255, np.uint8), mask)], Pictures())


class Alone(np.random.Generator):
    """Random numbers with which a target never has company: of the numbers drawn, those of 0 to 2 are how many."""

    def integers(self, low: Any, high: Any = None, *rest: Any, **more: Any) -> Any:
        return 0 if (low, high) == (0, 3) else super().integers(low, high, *rest, **more)


def test_the_box_is_that_of_the_painted_mask(source: Cutouts) -> None:
    random = Alone(np.random.PCG64(0))
    sizes, moved = [], 0
    for _ in range(60):
        pair = source.draw(random)
        for view in pair:
            # In light of 0.7 and more; half of a pixel that is covered by half is 0.35.
            brightest = int(view.picture.max())
            lit = view.picture[:, :, 1] > brightest / 2
            columns, rows = np.flatnonzero(lit.any(0)), np.flatnonzero(lit.any(1))
            seen = (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
            assert view.box == seen
        sizes.append(np.sqrt(pair.template.box.width * pair.template.box.height))
        moved += pair.template.box[:2] != pair.search.box[:2]
    assert moved == 60
    assert 15 < min(sizes) < 40 < 90 < max(sizes) < 150


def test_the_photo_itself_is_left_alone(source: Cutouts, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    pictures = source._pictures
    for _ in range(20):
        source.draw(random)
    assert not any(pictures[tmp_path / f"{i}.png"].any() for i in range(2))


def test_the_same_numbers_give_the_same_pair(source: Cutouts) -> None:
    first, again = (source.draw(np.random.default_rng(5)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.picture, other.picture)
        assert one.box == other.box


@pytest.mark.parametrize("shape", [(6, 6), (400, 5), (30, 30)])
def test_photos_smaller_than_the_object(tmp_path: Path, source: Cutouts, shape: tuple[int, int]) -> None:
    small = Photo(write(tmp_path / "small.png", np.zeros((*shape, 3), np.uint8)))
    cramped = Cutouts(tmp_path, [small], source._cutouts, Pictures())
    random = np.random.default_rng(0)
    for _ in range(50):
        for view in cramped.draw(random):
            x, y, width, height = view.box
            assert min(x, y) >= 0
            assert min(width, height) >= 1
            assert x + width <= shape[1]
            assert y + height <= shape[0]
