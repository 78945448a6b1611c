from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError


def annotated(count: int, lost: int | None = None) -> list[str]:
    """Lines as the annotation tool writes them: the box moves by one pixel a frame."""
    return [f'0 {i} 10 {i + 8} 16 {i} {int(i == lost)} 0 0 "ball"' for i in range(count)]


@pytest.fixture
def distributed(tmp_path: Path, images, lines) -> Path:
    """17 frames at 240 frames/s, of which the 30 frames/s version has every eighth, lost in the second of those."""
    for fps, count in ((240, 17), (30, 3)):
        images(tmp_path / "airboard_1" / str(fps) / "airboard_1", [f"{i:05d}.jpg" for i in range(1, count + 1)], (8, 8))
        lines(tmp_path / "airboard_1" / str(fps) / "airboard_1.txt", annotated(17, lost=8))
    return tmp_path


@pytest.mark.parametrize("prefix", ["nfs:", ""])
def test_thirty_frames_a_second_take_every_eighth_box(distributed: Path, prefix: str) -> None:
    dataset = open_dataset(f"{prefix}{distributed}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.name, sequence.fps, len(sequence)) == ("nfs", "airboard_1", 30.0, 3)
    assert sequence.truth[[0, 2]].tolist() == [[0, 10, 8, 6], [16, 10, 8, 6]]


def test_a_lost_target_has_no_box(distributed: Path) -> None:
    (sequence,) = open_dataset(distributed).sequences
    assert np.isnan(sequence.truth[1]).all()
    assert sequence.absent.tolist() == [False, True, False]


def test_all_frames(distributed: Path) -> None:
    dataset = open_dataset(f"nfs240:{distributed}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.dataset, sequence.fps, len(sequence)) == ("nfs240", "nfs240", 240.0, 17)
    assert sequence.truth[16].tolist() == [16, 10, 8, 6]


@pytest.mark.parametrize("prefix", ["nfs:", ""])
def test_gathered(tmp_path: Path, images, lines, prefix: str) -> None:
    images(tmp_path / "sequences" / "bee", ["00001.jpg", "00002.jpg"])
    lines(tmp_path / "anno" / "nfs_bee.txt", ["10\t5\t8\t6", "11\t5\t8\t6"])
    dataset = open_dataset(f"{prefix}{tmp_path}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.name, sequence.fps) == ("nfs", "bee", 30.0)
    assert sequence.truth.tolist() == [[10, 5, 8, 6], [11, 5, 8, 6]]


@pytest.mark.parametrize(("frames", "boxes"), [(4, 5), (5, 4)])
def test_one_more_at_the_end_of_either_is_left_out(
    tmp_path: Path, images, lines, greys, frames: int, boxes: int
) -> None:
    images(tmp_path / "bee" / "30" / "bee", [f"{i:05d}.jpg" for i in range(frames)])
    lines(tmp_path / "bee" / "30" / "bee.txt", annotated(boxes))
    (sequence,) = open_dataset(tmp_path).sequences
    assert (greys(list(sequence.frames)), len(sequence.truth)) == ([0, 1, 2, 3], 4)


def test_frames_that_do_not_fit_give_way_to_every_eighth_of_all(distributed: Path, images, files) -> None:
    images(distributed / "airboard_1" / "30" / "airboard_1", [f"{i:05d}.jpg" for i in range(1, 7)], (8, 8))
    dataset = open_dataset(f"nfs:{distributed}")
    (sequence,) = dataset.sequences
    assert files(sequence) == ["airboard_1/00001.jpg", "airboard_1/00009.jpg", "airboard_1/00017.jpg"]
    assert dataset.notes == (
        "airboard_1 has 6 frames at 30 frames/s and 3 boxes; every eighth of its frames at 240 frames/s is taken",
    )


def test_two_more_are_too_many(tmp_path: Path, images, lines) -> None:
    images(tmp_path / "bee" / "30" / "bee", [f"{i:05d}.jpg" for i in range(6)])
    lines(tmp_path / "bee" / "30" / "bee.txt", annotated(4))
    with pytest.raises(FootageError, match=r"holds 6 frames and .* 4 boxes"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("line", ["0 1 2 3", "0 a 2 3 4 0 0", ""])
def test_a_line_of_another_kind_is_named(distributed: Path, lines, line: str) -> None:
    lines(distributed / "airboard_1" / "30" / "airboard_1.txt", [*annotated(1), line, *annotated(1)])
    with pytest.raises(FootageError, match=r"airboard_1\.txt, line 2 should be track, left, top"):
        open_dataset(distributed)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"as NfS: looked for NAME/30/NAME/\*\.jpg .* found an empty folder$"):
        open_dataset(f"nfs:{tmp_path}")
