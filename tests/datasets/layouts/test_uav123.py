from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError


@pytest.fixture
def root(tmp_path: Path, lines) -> Path:
    """car1 with 1,700 frames, cut into two sequences, and car1_s, which has a folder of its own."""
    for folder, count in (("car1", 1700), ("car1_s", 3)):
        (tmp_path / "data_seq" / "UAV123" / folder).mkdir(parents=True)
        for number in range(1, count + 1):
            # Their order is told from names; no picture is opened.
            (tmp_path / "data_seq" / "UAV123" / folder / f"{number:06d}.jpg").touch()
    lines(tmp_path / "anno" / "UAV123" / "car1_1.txt", ["1,2,3,4"] * 751)
    lines(tmp_path / "anno" / "UAV123" / "car1_2.txt", ["1,2,3,4", "NaN,NaN,NaN,NaN", "1,2,3,5"])
    lines(tmp_path / "anno" / "UAV123" / "car1_3.txt", ["1,2,3,4"] * 10)
    lines(tmp_path / "anno" / "UAV123" / "car1_s.txt", ["1,2,3,4"] * 3)
    (tmp_path / "anno" / "UAV123" / "att").mkdir()
    lines(tmp_path / "anno" / "UAV20L" / "car1.txt", ["1,2,3,4"] * 1700)
    return tmp_path


@pytest.mark.parametrize("prefix", ["uav123:", ""])
def test_sequences_are_cut_from_their_folders(root: Path, files, prefix: str) -> None:
    dataset = open_dataset(f"{prefix}{root}")
    assert dataset.name == "uav123"
    assert {s.name: (files(s)[0], files(s)[-1]) for s in dataset.sequences} == {
        "car1_1": ("car1/000001.jpg", "car1/000751.jpg"),
        "car1_2": ("car1/000751.jpg", "car1/000753.jpg"),
        "car1_3": ("car1/001627.jpg", "car1/001636.jpg"),
        "car1_s": ("car1_s/000001.jpg", "car1_s/000003.jpg"),
    }


def test_nan_says_absent(root: Path) -> None:
    sequence = open_dataset(root, only=["car1_2"]).sequences[0]
    assert sequence.absent.tolist() == [False, True, False]
    assert np.isnan(sequence.truth[1]).all()


def test_the_long_ones(root: Path) -> None:
    dataset = open_dataset(f"uav20l:{root}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.dataset, sequence.name, len(sequence)) == ("uav20l", "uav20l", "car1", 1700)


def test_missing_frames_are_named(root: Path) -> None:
    (root / "data_seq" / "UAV123" / "car1" / "000752.jpg").unlink()
    with pytest.raises(FootageError, match=r"car1 lacks frame 752, 1 of 3 frames in all"):
        open_dataset(root)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "anno").mkdir()
    with pytest.raises(FootageError, match=r"as UAV123: looked for anno/UAV123/NAME\.txt .* found anno$"):
        open_dataset(f"uav123:{tmp_path}")
