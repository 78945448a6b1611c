import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError, InputError

PALETTE = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
"""Red, green, blue of the first numbers in DAVIS's palette, as the data set gives them."""


def save_indexed(path: Path, labels: np.ndarray) -> None:
    """A PNG file with a palette: what no encoder of OpenCV writes."""
    colours = [*PALETTE, *[(0, 0, 0)] * (255 - len(PALETTE)), (224, 224, 192)]
    height, width = labels.shape
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in labels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(value for colour in colours for value in colour)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def marked(**boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask with objects, by their numbers, in boxes x, y, width, height."""
    labels = np.zeros((24, 32), np.uint8)
    for name, (x, y, w, h) in boxes.items():
        labels[y : y + h, x : x + w] = int(name[1:])
    return labels


@pytest.fixture
def root(tmp_path: Path, images, lines) -> Path:
    """Two objects, of which the second leaves after the first frame and a third comes; then one on its own."""
    for name in ("bike", "cow"):
        images(tmp_path / "JPEGImages" / "480p" / name, ["00000.jpg", "00001.jpg"])
    bike, cow = (tmp_path / "Annotations" / "480p" / name for name in ("bike", "cow"))
    save_indexed(bike / "00000.png", marked(_1=(2, 3, 5, 4), _2=(10, 8, 6, 7), _255=(0, 0, 2, 2)))
    save_indexed(bike / "00001.png", marked(_1=(3, 3, 5, 4), _4=(20, 8, 6, 7)))
    for index in range(2):
        cow.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(cow / f"{index:05d}.png"), marked(_255=(4 + index, 5, 6, 7)))
    lines(tmp_path / "ImageSets" / "2017" / "val.txt", ["bike", "cow"])
    return tmp_path


@pytest.mark.parametrize("prefix", ["davis:", ""])
def test_every_object_of_the_first_mask_is_a_target(root: Path, greys, prefix: str) -> None:
    dataset = open_dataset(f"{prefix}{root}")
    assert (dataset.name, [s.name for s in dataset.sequences]) == ("davis", ["bike_1", "bike_2", "cow"])
    first, second, cow = dataset.sequences
    assert first.truth.tolist() == [[2, 3, 5, 4], [3, 3, 5, 4]]
    assert second.truth[0].tolist() == [10, 8, 6, 7]
    assert np.isnan(second.truth[1]).all()
    assert (first.absent.tolist(), second.absent.tolist()) == ([False, False], [False, True])
    assert cow.truth.tolist() == [[4, 5, 6, 7], [5, 5, 6, 7]]
    assert (greys(list(cow.frames)), cow.fps) == ([0, 1], 24.0)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_numbers_are_told_from_the_palette(tmp_path: Path, images, number: int) -> None:
    images(tmp_path / "JPEGImages" / "a", ["00000.jpg"])
    save_indexed(
        tmp_path / "Annotations" / "a" / "00000.png", marked(**{f"_{number}": (1, 2, 3, 4), "_1": (9, 9, 1, 1)})
    )
    names = [s.name for s in open_dataset(tmp_path).sequences]
    assert names == (["a_1", f"a_{number}"] if number > 1 else ["a"])


def test_without_lists_and_resolutions(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    plain = tmp_path_factory.mktemp("plain")
    for name in ("JPEGImages", "Annotations"):
        (plain / name).symlink_to(root / name / "480p")
    assert [s.name for s in open_dataset(plain).sequences] == ["bike_1", "bike_2", "cow"]


def test_the_list_decides(root: Path, lines) -> None:
    lines(root / "ImageSets" / "2017" / "val.txt", ["cow"])
    assert [s.name for s in open_dataset(root).sequences] == ["cow"]


def test_the_first_mask_alone(root: Path) -> None:
    (root / "Annotations" / "480p" / "cow" / "00001.png").unlink()
    cow = open_dataset(root).sequences[2]
    assert (cow.hidden, len(cow), len(cow.truth)) == (True, 2, 1)


def test_missing_masks_are_noticed(root: Path, images) -> None:
    images(root / "JPEGImages" / "480p" / "bike", ["00000.jpg", "00001.jpg", "00002.jpg"])
    with pytest.raises(FootageError, match=r"holds 2 masks and .* 3 frames, and their names are not the same"):
        open_dataset(root)


def test_no_masks_at_all(root: Path) -> None:
    for mask in (root / "Annotations" / "480p" / "cow").iterdir():
        mask.unlink()
    with pytest.raises(FootageError, match="cow holds no masks, found an empty folder"):
        open_dataset(root)


def test_a_mask_without_an_object_is_refused(root: Path) -> None:
    assert cv2.imwrite(str(root / "Annotations" / "480p" / "cow" / "00000.png"), marked())
    with pytest.raises(FootageError, match=r"00000\.png marks no object"):
        open_dataset(root)


def test_masks_of_changing_size_are_refused(root: Path) -> None:
    assert cv2.imwrite(str(root / "Annotations" / "480p" / "cow" / "00001.png"), marked()[:20])
    with pytest.raises(FootageError, match=r"00001\.png is of another size"):
        open_dataset(root)


def test_masks_of_sixteen_bits_are_refused(root: Path) -> None:
    assert cv2.imwrite(str(root / "Annotations" / "480p" / "cow" / "00000.png"), marked().astype(np.uint16))
    with pytest.raises(FootageError, match=r"00000\.png is no mask of 8 bits"):
        open_dataset(root)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(FootageError, match=r"as DAVIS: looked for JPEGImages/480p/.* found JPEGImages$"):
        open_dataset(f"davis:{tmp_path}")


def test_an_object_or_a_whole_folder_can_be_left_out(root: Path) -> None:
    def names(only: Sequence[str] = (), skip: Sequence[str] = ()) -> list[str]:
        return [s.name for s in open_dataset(f"davis:{root}", only=only, skip=skip).sequences]

    assert names(skip=["bike_1"]) == ["bike_2", "cow"]
    assert names(only=["bike_2"]) == ["bike_2"]
    assert names(only=["bike"]) == ["bike_1", "bike_2"]
    save_indexed(root / "Annotations" / "480p" / "bike" / "00000.png", marked())
    assert names(skip=["bike"]) == names(only=["cow"]) == ["cow"]
    with pytest.raises(InputError, match=r"has no sequence 'dog'; it has cow, bike"):
        names(only=["cow"], skip=["dog"])
    with pytest.raises(InputError, match="is left; take fewer away"):
        names(skip=["cow", "bike"])
