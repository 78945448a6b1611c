from pathlib import Path

import pytest
from ostrack_edge.datasets.layouts.lasot_test import EXTENSION_CLASSES, TEST_SEQUENCES
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError, InputError


@pytest.fixture
def make(images, lines):
    """make(folder, frames, boxes): a sequence, fully hidden in its second frame and out of view in its third."""

    def write(folder: Path, frames: int = 4, boxes: int = 4) -> None:
        images(folder / "img", [f"{i:08d}.jpg" for i in range(1, frames + 1)])
        rows = [[10, 5, 8, 6], [10, 5, 8, 6], [1, 1, -1, -1], [0, 0, 0, 0], [11, 5, 8, 6]]
        lines(folder / "groundtruth.txt", rows[:boxes])
        lines(folder / "full_occlusion.txt", [[0, 1, 0, 0, 0][:boxes]])
        lines(folder / "out_of_view.txt", [[0, 0, 1, 0, 0][:boxes]])
        lines(folder / "nlp.txt", ["a plane"])

    return write


def test_the_lists() -> None:
    assert len(TEST_SEQUENCES) == len(set(TEST_SEQUENCES)) == 280
    classes = {name.rpartition("-")[0] for name in TEST_SEQUENCES}
    assert len(classes) == 70
    assert all(sum(name.startswith(f"{c}-") for name in TEST_SEQUENCES) == 4 for c in classes)
    assert len(EXTENSION_CLASSES) == 15
    assert not EXTENSION_CLASSES & classes


@pytest.mark.parametrize("prefix", ["lasot:", ""])
@pytest.mark.parametrize("by_class", [True, False])
def test_the_test_set(tmp_path: Path, make, greys, prefix: str, by_class: bool) -> None:
    for name in ("airplane-1", "airplane-2", "zebra-10", "yoyo-7"):
        make(tmp_path / (name.split("-")[0] if by_class else "") / name)
    dataset = open_dataset(f"{prefix}{tmp_path}")
    assert dataset.name == "lasot"
    # airplane-2 belongs to the training set.
    assert [s.name for s in dataset.sequences] == ["airplane-1", "yoyo-7", "zebra-10"]
    assert dataset.notes == ("277 of the 280 sequences of the test set are not there",)
    first = dataset.sequences[0]
    assert (first.category, first.dataset, first.fps) == ("airplane", "lasot", 30.0)
    assert greys(list(first.frames)) == [0, 1, 2, 3]


def test_absent_is_hidden_or_out_of_view_and_the_truth_stays(tmp_path: Path, make) -> None:
    make(tmp_path / "airplane" / "airplane-1")
    (sequence,) = open_dataset(tmp_path).sequences
    assert sequence.absent.tolist() == [False, True, True, False]
    assert sequence.truth.tolist() == [[10, 5, 8, 6], [10, 5, 8, 6], [1, 1, -1, -1], [0, 0, 0, 0]]


def test_its_own_list_decides(tmp_path: Path, make, lines) -> None:
    for name in ("airplane-1", "airplane-2"):
        make(tmp_path / "airplane" / name)
    lines(tmp_path / "testing_set.txt", ["airplane-2"])
    dataset = open_dataset(tmp_path)
    assert ([s.name for s in dataset.sequences], dataset.notes) == (["airplane-2"], ())


@pytest.mark.parametrize("prefix", ["lasot-ext:", ""])
def test_the_extension(tmp_path: Path, make, prefix: str) -> None:
    for name in ("atv-10", "atv-2", "wingsuit-1"):
        make(tmp_path / name.split("-")[0] / name)
    dataset = open_dataset(f"{prefix}{tmp_path}")
    assert (dataset.name, dataset.sequences[0].dataset) == ("lasot-ext", "lasot-ext")
    assert [s.name for s in dataset.sequences] == ["atv-2", "atv-10", "wingsuit-1"]
    assert dataset.notes == ("147 of the 150 sequences of the extension are not there",)


def test_the_training_set_is_the_rest_and_has_a_name_of_its_own(tmp_path: Path, make) -> None:
    for name in ("airplane-1", "airplane-2", "zebra-10", "zebra-11", "atv-1"):
        make(tmp_path / name.split("-")[0] / name)
    dataset = open_dataset(f"lasot-train:{tmp_path}")
    assert (dataset.name, dataset.sequences[0].dataset) == ("lasot-train", "lasot-train")
    # airplane-1 and zebra-10 belong to the test set, atv-1 to the extension.
    assert [s.name for s in dataset.sequences] == ["airplane-2", "zebra-11"]
    assert dataset.notes == ("1118 of the 1120 sequences of the training set are not there",)
    assert [s.name for s in open_dataset(f"lasot-train:{tmp_path}", skip=["zebra-11"]).sequences] == ["airplane-2"]
    with pytest.raises(InputError, match="has no sequence 'airplane-1'"):
        open_dataset(f"lasot-train:{tmp_path}", only=["airplane-1"])


def test_no_list_moves_the_test_set_into_the_training_set(tmp_path: Path, make, lines) -> None:
    for name in ("airplane-1", "airplane-2", "airplane-3"):
        make(tmp_path / "airplane" / name)
    lines(tmp_path / "testing_set.txt", ["airplane-2"])
    assert [s.name for s in open_dataset(f"lasot-train:{tmp_path}").sequences] == ["airplane-3"]


def test_the_test_set_alone_is_no_training_set(tmp_path: Path, make) -> None:
    make(tmp_path / "airplane" / "airplane-1")
    with pytest.raises(FootageError, match="holds none of the 1120 sequences of the training set of LaSOT"):
        open_dataset(f"lasot-train:{tmp_path}")


def test_frames_beyond_the_truth_are_left_out_and_noted(tmp_path: Path, make) -> None:
    make(tmp_path / "airplane" / "airplane-1", frames=5, boxes=3)
    dataset = open_dataset(tmp_path)
    assert len(dataset.sequences[0]) == len(dataset.sequences[0].truth) == 3
    assert dataset.notes[1] == "airplane-1 has 5 frames and 3 boxes; the frames beyond are left out"


def test_missing_frames_are_noticed(tmp_path: Path, make) -> None:
    make(tmp_path / "airplane" / "airplane-1", frames=3, boxes=5)
    with pytest.raises(FootageError, match=r"holds 3 frames and .* 5 boxes"):
        open_dataset(tmp_path)


def test_the_training_set_alone_is_refused(tmp_path: Path, make) -> None:
    make(tmp_path / "airplane" / "airplane-2")
    with pytest.raises(FootageError, match=r"holds none of the 280 sequences of the test set of LaSOT, found airplane"):
        open_dataset(f"lasot:{tmp_path}")


def test_another_layout_is_refused(tmp_path: Path, images) -> None:
    images(tmp_path / "airplane-1" / "img", ["1.jpg"])
    with pytest.raises(FootageError, match=r"not laid out as LaSOT: looked for CLASS/CLASS-N .* found airplane-1$"):
        open_dataset(f"lasot:{tmp_path}")


def test_a_missing_file_of_flags_is_named(tmp_path: Path, make) -> None:
    make(tmp_path / "airplane" / "airplane-1")
    (tmp_path / "airplane" / "airplane-1" / "out_of_view.txt").unlink()
    with pytest.raises(FootageError, match=r"out_of_view\.txt cannot be read: No such file"):
        open_dataset(tmp_path)
