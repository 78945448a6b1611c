from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError

NAME = "GOT-10k_Val_000001"


@pytest.fixture
def val(tmp_path: Path, images, lines) -> Path:
    """Two sequences; the first with everything that the benchmark tells, hidden in its third frame."""
    root = tmp_path / "GOT-10k" / "val"
    lines(root / "list.txt", [NAME, "GOT-10k_Val_000002"])
    folder = root / NAME
    images(folder, [f"{i:08d}.jpg" for i in range(1, 5)])
    lines(folder / "groundtruth.txt", ["1.5000,2.0000,3.0000,4.0000"] * 4)
    meta = ["[METAINFO]", "url: none", "object_class: pigeon", "anno_fps: 10Hz", "resolution: (1920, 1080)"]
    lines(folder / "meta_info.ini", meta)
    lines(folder / "cover.label", [[8], [3], [0], [8]])
    lines(folder / "absence.label", [[0], [0], [0], [1]])
    other = root / "GOT-10k_Val_000002"
    images(other, ["00000001.jpg", "00000002.jpg"])
    lines(other / "groundtruth.txt", ["5,6,7,8", "5,6,7,9"])
    lines(other / "absence.label", [[0], [1]])
    return root


@pytest.mark.parametrize("prefix", ["got10k:", ""])
def test_val(val: Path, prefix: str, greys) -> None:
    dataset = open_dataset(f"{prefix}{val}")
    assert (dataset.name, dataset.root, dataset.notes) == ("got10k", val, ())
    first, second = dataset.sequences
    assert (first.name, first.dataset, first.category, first.fps, first.origin) == (NAME, "got10k", "pigeon", 10.0, 0)
    assert first.truth.dtype == np.float64
    assert first.truth.tolist() == [[1.5, 2, 3, 4]] * 4
    assert greys(list(first.frames)) == [0, 1, 2, 3]
    assert not first.hidden
    assert second.category is None


def test_hidden_frames_are_told_by_cover_as_in_its_toolkit(val: Path) -> None:
    first, second = open_dataset(val).sequences
    assert first.absent.tolist() == [False, False, True, False]
    assert second.absent.tolist() == [False, True]


def test_the_size_is_announced_or_the_pictures(val: Path) -> None:
    first, second = open_dataset(val).sequences
    assert first.size == (1920, 1080)
    assert second.size == (32, 24)


def test_the_test_set_keeps_its_truth(tmp_path: Path, images, lines) -> None:
    lines(tmp_path / "list.txt", ["GOT-10k_Test_000001"])
    images(tmp_path / "GOT-10k_Test_000001", ["00000001.jpg", "00000002.jpg", "00000003.jpg"])
    lines(tmp_path / "GOT-10k_Test_000001" / "groundtruth.txt", ["5.0,6.0,7.0,8.0"])
    (sequence,) = open_dataset(tmp_path).sequences
    assert (len(sequence), sequence.truth.shape, sequence.hidden) == (3, (1, 4), True)
    assert sequence.absent.tolist() == [False]


def test_the_folder_above_is_refused_with_its_subsets(val: Path) -> None:
    with pytest.raises(FootageError, match=r"looked for list\.txt, found val; give one of its subsets, .*GOT-10k/val"):
        open_dataset(f"got10k:{val.parent}")


def test_a_missing_sequence_is_named(val: Path, lines) -> None:
    lines(val / "list.txt", [NAME, "GOT-10k_Val_000003"])
    with pytest.raises(FootageError, match=r"GOT-10k_Val_000003 is not there, though list\.txt"):
        open_dataset(val)


def test_a_missing_frame_is_noticed(val: Path) -> None:
    (val / NAME / "00000002.jpg").unlink()
    with pytest.raises(FootageError, match=r"holds 3 frames and .*groundtruth\.txt 4 boxes"):
        open_dataset(val)


def test_too_few_labels_are_noticed(val: Path, lines) -> None:
    lines(val / NAME / "cover.label", [[8], [8]])
    with pytest.raises(FootageError, match=r"cover\.label holds 2 flags for 4 boxes"):
        open_dataset(val)


def test_labels_that_are_no_numbers_are_refused(val: Path, lines) -> None:
    lines(val / NAME / "cover.label", ["8", "x", "8", "8"])
    with pytest.raises(FootageError, match=r"cover\.label should hold one number per frame"):
        open_dataset(val)
