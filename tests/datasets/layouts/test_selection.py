"""Sequences by name: what is left out is not read, so that it may be damaged."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError, InputError

Rows = Sequence[Sequence[object]]

ROWS = [[10, 5, 8, 6], [11, 5, 8, 6], [12, 5, 8, 6]]
NAMES = ["00000001.png", "00000002.png", "00000003.png"]
GONE = [["NaN"] * 4, *ROWS[1:]]


def got10k(root: Path, name: str, images, lines, rows: Rows) -> None:
    with (root / "list.txt").open("a") as file:
        file.write(f"{name}\n")
    images(root / name, NAMES)
    lines(root / name / "groundtruth.txt", rows)


def lasot(root: Path, name: str, images, lines, rows: Rows) -> None:
    with (root / "testing_set.txt").open("a") as file:
        file.write(f"{name}\n")
    images(root / name / "img", NAMES)
    lines(root / name / "groundtruth.txt", rows)
    lines(root / name / "full_occlusion.txt", ["0,0,0"])
    lines(root / name / "out_of_view.txt", ["0,0,0"])


def nfs(root: Path, name: str, images, lines, rows: Rows) -> None:
    images(root / "sequences" / name, NAMES)
    lines(root / "anno" / f"nfs_{name}.txt", rows)


def trackingnet(root: Path, name: str, images, lines, rows: Rows) -> None:
    images(root / "frames" / name, NAMES)
    lines(root / "anno" / f"{name}.txt", rows)


def uav123(root: Path, name: str, images, lines, rows: Rows) -> None:
    images(root / "data_seq" / "UAV123" / name, NAMES)
    lines(root / "anno" / "UAV123" / f"{name}.txt", rows)


def vot(root: Path, name: str, images, lines, rows: Rows) -> None:
    with (root / "list.txt").open("a") as file:
        file.write(f"{name}\n")
    images(root / name / "color", NAMES)
    lines(root / name / "groundtruth.txt", rows)


def otb(root: Path, name: str, images, lines, rows: Rows) -> None:
    images(root / name / "img", NAMES)
    lines(root / name / "groundtruth_rect.txt", rows)


def folders(root: Path, name: str, images, lines, rows: Rows) -> None:
    images(root / name / "img", NAMES)
    lines(root / name / "groundtruth.txt", rows)


def tnl2k(root: Path, name: str, images, lines, rows: Rows) -> None:
    images(root / name / "imgs", NAMES)
    lines(root / name / "groundtruth.txt", rows)


def itb(root: Path, name: str, images, lines, rows: Rows) -> None:
    images(root / "UAV" / name, NAMES)
    lines(root / "UAV" / name / "groundtruth.txt", rows)


@pytest.mark.parametrize("bad", [GONE, [*ROWS, *ROWS, *ROWS]], ids=["no first box", "boxes of another number"])
@pytest.mark.parametrize("make", [folders, tnl2k, itb, got10k, lasot, nfs, trackingnet, uav123, vot, otb])
def test_a_bad_sequence_can_be_left_out(tmp_path: Path, images, lines, make, bad: Rows) -> None:
    for name, rows in (("bag-1", ROWS), ("book-2", bad), ("cup-3", ROWS)):
        make(tmp_path, name, images, lines, rows)
    spec = f"{make.__name__}:{tmp_path}"
    if make not in (uav123, lasot) or bad is GONE:  # these end a sequence with its truth, or with its frames
        with pytest.raises(FootageError):
            open_dataset(spec)
    assert [s.name for s in open_dataset(spec, skip=["book-2"]).sequences] == ["bag-1", "cup-3"]
    assert [s.name for s in open_dataset(spec, only=["cup-3"]).sequences] == ["cup-3"]
    assert [s.name for s in open_dataset(spec, only=["cup-3", "book-2"], skip=["book-2"]).sequences] == ["cup-3"]


@pytest.mark.parametrize("make", [folders, tnl2k, itb, got10k, lasot, nfs, trackingnet, uav123, vot, otb])
def test_an_unknown_name_is_refused(tmp_path: Path, images, lines, make) -> None:
    for name in ("bag-1", "book-2"):
        make(tmp_path, name, images, lines, GONE)
    spec = f"{make.__name__}:{tmp_path}"
    with pytest.raises(InputError, match=r"has no sequence 'cow', 'dog'; it has bag-1, book-2$"):
        open_dataset(spec, only=["dog", "bag-1"], skip=["cow"])
    with pytest.raises(InputError, match="is left; take fewer away"):
        open_dataset(spec, skip=["bag-1", "book-2"])


def test_few_of_many_names_are_shown(tmp_path: Path, images, lines) -> None:
    for number in range(9):
        folders(tmp_path, f"clip{number}", images, lines, ROWS)
    with pytest.raises(InputError, match=r"it has clip0, clip1, clip2, clip3, clip4 and 4 more$"):
        open_dataset(tmp_path, only=["x"])
