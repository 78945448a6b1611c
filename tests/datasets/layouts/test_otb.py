from pathlib import Path

import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError


@pytest.fixture
def make(images, lines):
    """make(folder, numbers, truth name, rows)."""

    def write(folder: Path, numbers: range, rows: list[str], name: str = "groundtruth_rect.txt") -> None:
        images(folder / "img", [f"{i:04d}.jpg" for i in numbers], (8, 8))
        lines(folder / name, rows)

    return write


@pytest.mark.parametrize("prefix", ["otb:", ""])
@pytest.mark.parametrize("row", ["5,7,3,4", "5\t7\t3\t4", "5 7 3  4", " 5, 7, 3, 4 "])
def test_every_separator_and_boxes_counted_from_1(tmp_path: Path, make, prefix: str, row: str) -> None:
    make(tmp_path / "Basketball", range(1, 4), [row] * 3)
    dataset = open_dataset(f"{prefix}{tmp_path}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.name, sequence.category) == ("otb", "Basketball", None)
    assert sequence.truth.tolist() == [[4, 6, 3, 4]] * 3
    assert sequence.origin == 1


def test_several_targets_and_one_that_has_no_truth(tmp_path: Path, make) -> None:
    make(tmp_path / "Human4", range(1, 3), [], "groundtruth_rect.1.txt")
    make(tmp_path / "Human4", range(1, 3), ["1,1,3,4"] * 2, "groundtruth_rect.2.txt")
    make(tmp_path / "Jogging", range(1, 3), ["1,1,3,4"] * 2, "groundtruth_rect.1.txt")
    make(tmp_path / "Jogging", range(1, 3), ["5,1,3,4"] * 2, "groundtruth_rect.2.txt")
    dataset = open_dataset(tmp_path)
    assert [s.name for s in dataset.sequences] == ["Human4_2", "Jogging_1", "Jogging_2"]
    assert dataset.notes == ("Human4/groundtruth_rect.1.txt is empty; this target is left out",)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("David", 300, 770), ("Football1", 1, 74), ("Freeman3", 1, 460), ("Freeman4", 1, 283), ("Diving", 1, 215)],
)
def test_sequences_with_truth_for_a_part_of_their_images(
    tmp_path: Path, lines, files, name: str, first: int, last: int
) -> None:
    folder = tmp_path / name
    (folder / "img").mkdir(parents=True)
    for number in range(1, last + 5):
        # Their order is told from names; no picture is opened.
        (folder / "img" / f"{number:04d}.jpg").touch()
    count = last - first + 1
    lines(folder / "groundtruth_rect.txt", ["1,1,3,4"] * count)
    (sequence,) = open_dataset(f"otb:{tmp_path}").sequences
    assert (len(sequence), len(sequence.truth)) == (count, count)
    assert files(sequence) == [f"img/{number:04d}.jpg" for number in range(first, last + 1)]


def test_a_copy_that_holds_the_part_alone(tmp_path: Path, lines, files) -> None:
    (tmp_path / "David" / "img").mkdir(parents=True)
    for number in range(1, 472):
        (tmp_path / "David" / "img" / f"{number:04d}.jpg").touch()
    lines(tmp_path / "David" / "groundtruth_rect.txt", ["1,1,3,4"] * 471)
    (sequence,) = open_dataset(tmp_path).sequences
    assert (files(sequence)[0], len(sequence)) == ("img/0001.jpg", 471)


def test_images_that_start_late(tmp_path: Path, make, greys) -> None:
    make(tmp_path / "BlurCar1", range(247, 250), ["1,1,3,4"] * 3)
    (sequence,) = open_dataset(tmp_path).sequences
    assert greys(list(sequence.frames)) == [0, 1, 2]


def test_missing_frames_are_named(tmp_path: Path, make) -> None:
    make(tmp_path / "Football1", range(1, 73), ["1,1,3,4"] * 74)
    with pytest.raises(FootageError, match="lacks frame 73, 2 of 74 frames in all"):
        open_dataset(tmp_path)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Basketball").mkdir()
    with pytest.raises(FootageError, match=r"as OTB: looked for NAME/img and .* found Basketball$"):
        open_dataset(f"otb:{tmp_path}")
