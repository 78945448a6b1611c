from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.datasets import Scene
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError

ROWS = [[10, 5, 8, 6], [11, 5, 8, 6], [12, 5, 8, 6]]
NAMES = ["1.png", "2.png", "10.png"]


# ---- folders


@pytest.mark.parametrize("prefix", ["folders:", ""])
@pytest.mark.parametrize("below", ["img", ""])
def test_several_sequences(tmp_path: Path, images, lines, greys, prefix: str, below: str) -> None:
    for name in ("book", "bag"):
        images(tmp_path / name / below, NAMES)
        lines(tmp_path / name / "groundtruth.txt", ROWS)
    for other in "123456":
        (tmp_path / other).mkdir()
    dataset = open_dataset(f"{prefix}{tmp_path}")
    assert (dataset.name, [s.name for s in dataset.sequences]) == ("folders", ["bag", "book"])
    sequence = dataset.sequences[0]
    assert greys(list(sequence.frames)) == [0, 1, 2]
    assert sequence.truth.tolist() == ROWS
    assert (sequence.fps, sequence.category, sequence.origin) == (25.0, None, 0)


@pytest.mark.parametrize("prefix", ["folders:", ""])
def test_one_sequence(tmp_path: Path, images, lines, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    images(tmp_path / "bag" / "img", NAMES)
    lines(tmp_path / "bag" / "groundtruth.txt", ROWS)
    assert [s.name for s in open_dataset(f"{prefix}{tmp_path / 'bag'}").sequences] == ["bag"]
    monkeypatch.chdir(tmp_path / "bag")
    assert [s.name for s in open_dataset(f"{prefix}.").sequences] == ["bag"]


def test_nan_says_absent_and_no_area_is_left_to_the_protocol(tmp_path: Path, images, lines) -> None:
    images(tmp_path / "img", NAMES)
    lines(tmp_path / "groundtruth.txt", [ROWS[0], ["NaN"] * 4, [0, 0, 0, 0]])
    (sequence,) = open_dataset(tmp_path).sequences
    assert sequence.absent.tolist() == [False, True, False]
    assert np.isnan(sequence.truth[1]).all()
    assert sequence.truth[2].tolist() == [0, 0, 0, 0]


def test_the_first_box_alone(tmp_path: Path, images, lines) -> None:
    images(tmp_path / "img", NAMES)
    lines(tmp_path / "groundtruth.txt", ROWS[:1])
    (sequence,) = open_dataset(tmp_path).sequences
    assert sequence.hidden


@pytest.mark.parametrize("row", [["NaN"] * 4, [1, 2, 0, 4], [1, 2, 3, -4]])
def test_a_sequence_without_a_box_to_start_from_is_refused(tmp_path: Path, images, lines, row: list[object]) -> None:
    images(tmp_path / "bag" / "img", NAMES)
    lines(tmp_path / "bag" / "groundtruth.txt", [row, *ROWS[1:]])
    with pytest.raises(FootageError, match="sequence bag of folders has no box to start from: its first one is"):
        open_dataset(tmp_path)


def test_frames_without_truth_are_noticed(tmp_path: Path, images, lines) -> None:
    for name in ("bag", "book"):
        images(tmp_path / name / "img", NAMES)
    lines(tmp_path / "bag" / "groundtruth.txt", ROWS)
    with pytest.raises(FootageError, match=r"book/groundtruth\.txt cannot be read"):
        open_dataset(tmp_path)


def test_truth_and_frames_of_different_length_are_noticed(tmp_path: Path, images, lines) -> None:
    images(tmp_path / "img", NAMES)
    lines(tmp_path / "groundtruth.txt", ROWS[:2])
    with pytest.raises(FootageError, match=r"img holds 3 frames and .*groundtruth\.txt 2 boxes; .* get a whole copy"):
        open_dataset(tmp_path)


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(FootageError, match=r"holds no sequences: looked for NAME/groundtruth\.txt .* found a\.txt$"):
        open_dataset(f"folders:{tmp_path}")


def test_real_sequences(shared: Path) -> None:
    dataset = open_dataset(shared / "sequences")
    assert (dataset.name, len(dataset.sequences)) == ("folders", 10)
    for sequence in dataset.sequences:
        assert len(sequence.truth) == len(sequence)
        assert sequence.frames[-1].shape == (sequence.size[1], sequence.size[0], 3)


# ---- TNL2K


@pytest.mark.parametrize("prefix", ["tnl2k:", ""])
def test_tnl2k(tmp_path: Path, images, lines, greys, prefix: str) -> None:
    folder = tmp_path / "Arrow_Video_ZZ04_done"
    images(folder / "imgs", ["00001.png", "00002.png", "00003.png"])
    lines(folder / "groundtruth.txt", [ROWS[0], ROWS[1], [0, 0, 0, 0]])
    lines(folder / "language.txt", ["the arrow"])
    dataset = open_dataset(f"{prefix}{tmp_path}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.name, sequence.fps) == ("tnl2k", folder.name, 30.0)
    assert greys(list(sequence.frames)) == [0, 1, 2]


def test_tnl2k_refuses_another_layout(tmp_path: Path, images) -> None:
    images(tmp_path / "a" / "img", NAMES)
    with pytest.raises(FootageError, match=r"as TNL2K: looked for NAME/groundtruth\.txt with images in NAME/imgs"):
        open_dataset(f"tnl2k:{tmp_path}")


# ---- ITB


@pytest.mark.parametrize("prefix", ["itb:", ""])
def test_itb(tmp_path: Path, images, lines, prefix: str) -> None:
    for scenario, name in (("UAV", "uav_1"), ("Cartoon", "cartoon_2"), ("UAV", "uav_10")):
        images(tmp_path / scenario / name, ["0001.jpg", "0002.jpg", "0003.jpg"])
        lines(tmp_path / scenario / name / "groundtruth.txt", ROWS)
    lines(tmp_path / "ITB.json", ["{}"])
    dataset = open_dataset(f"{prefix}{tmp_path}")
    named = [(s.category, s.name) for s in dataset.sequences]
    assert (dataset.name, named) == ("itb", [("Cartoon", "cartoon_2"), ("UAV", "uav_1"), ("UAV", "uav_10")])


def test_itb_refuses_another_layout(tmp_path: Path, images) -> None:
    images(tmp_path / "a", NAMES)
    with pytest.raises(FootageError, match=r"as ITB: looked for SCENARIO/NAME/groundtruth\.txt"):
        open_dataset(f"itb:{tmp_path}")


def test_itb_takes_no_images_without_any_truth(tmp_path: Path, images, lines) -> None:
    images(tmp_path / "bag" / "img", NAMES)
    lines(tmp_path / "bag" / "groundtruth.txt", ROWS)
    with pytest.raises(FootageError, match=r"as ITB: looked for SCENARIO/NAME/groundtruth\.txt .* found bag$"):
        open_dataset(f"itb:{tmp_path}")


# ---- a video file


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A rendered video of eight frames with its truth."""
    Scene(64, 64, frames=8).write_video(tmp_path / "clip.avi")
    return tmp_path / "clip.avi"


@pytest.mark.parametrize("prefix", ["video:", ""])
def test_a_video(clip: Path, prefix: str) -> None:
    dataset = open_dataset(f"{prefix}{clip}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.name, sequence.size, sequence.fps) == ("video", "clip", (64, 64), 25.0)
    assert len(sequence) == len(sequence.truth) == 8
    assert tuple(sequence.truth[7]) == pytest.approx(Scene(64, 64, frames=8).box(7), abs=1e-4)


def test_a_video_without_truth_is_refused(clip: Path) -> None:
    clip.with_name("clip.groundtruth.txt").unlink()
    with pytest.raises(FootageError, match=r"has no truth beside it: looked for clip\.groundtruth\.txt"):
        open_dataset(clip)


def test_a_video_and_truth_of_different_length_are_noticed(clip: Path, lines) -> None:
    lines(clip.with_name("clip.groundtruth.txt"), ROWS)
    with pytest.raises(FootageError, match=r"clip\.avi holds 8 frames and .*groundtruth\.txt 3 boxes"):
        open_dataset(clip)


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"is no video: looked for a video file with .* found an empty folder"):
        open_dataset(f"video:{tmp_path}")
