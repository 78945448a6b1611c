import shutil
from pathlib import Path

import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError, InputError


@pytest.fixture
def root(tmp_path: Path, images, lines) -> Path:
    """A test set of one sequence, and a part of the training set."""
    images(tmp_path / "TEST" / "frames" / "0-6LB4FqxoE_0", [f"{i}.jpg" for i in range(12)])
    lines(tmp_path / "TEST" / "anno" / "0-6LB4FqxoE_0.txt", ["10.0,5.0,8.0,6.0"])
    images(tmp_path / "TRAIN_0" / "frames" / "a_1", ["0.jpg", "1.jpg"])
    lines(tmp_path / "TRAIN_0" / "anno" / "a_1.txt", [[1, 2, 3, 4], [1, 2, 3, 5]])
    return tmp_path


@pytest.mark.parametrize("prefix", ["trackingnet:", ""])
@pytest.mark.parametrize("below", ["", "TEST"])
def test_the_test_set_gives_its_first_box(root: Path, greys, prefix: str, below: str) -> None:
    dataset = open_dataset(f"{prefix}{root / below}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.name, len(sequence), sequence.fps) == ("trackingnet", "0-6LB4FqxoE_0", 12, 30.0)
    assert sequence.hidden
    assert sequence.truth.tolist() == [[10, 5, 8, 6]]
    # 10.jpg comes after 9.jpg.
    assert greys(list(sequence.frames)) == list(range(12))


def test_a_part_of_the_training_set(root: Path) -> None:
    (sequence,) = open_dataset(root / "TRAIN_0").sequences
    assert (sequence.hidden, len(sequence.truth)) == (False, 2)


def test_missing_frames_are_noticed(root: Path) -> None:
    for image in (root / "TEST" / "frames" / "0-6LB4FqxoE_0").iterdir():
        image.unlink()
    with pytest.raises(FootageError, match="holds no images, found an empty folder"):
        open_dataset(root)


def test_another_layout_is_refused(tmp_path: Path, images) -> None:
    images(tmp_path / "frames", ["0.jpg"])
    with pytest.raises(FootageError, match=r"as TrackingNet: looked for anno/NAME\.txt and .* found frames$"):
        open_dataset(f"trackingnet:{tmp_path}")
    (tmp_path / "anno").mkdir()
    with pytest.raises(FootageError, match=r"anno holds no truth: looked for NAME\.txt, found an empty folder"):
        open_dataset(f"trackingnet:{tmp_path}")


@pytest.fixture
def training(root: Path, images, lines) -> Path:
    """Beside the test set, a first and an eleventh part of the training set, and one that is not unpacked."""
    images(root / "TRAIN_10" / "frames" / "b_2", ["0.jpg", "1.jpg", "2.jpg"])
    lines(root / "TRAIN_10" / "anno" / "b_2.txt", [[1, 2, 3, 4]] * 3)
    (root / "TRAIN_3").mkdir()
    return root


def test_the_training_set_is_all_its_parts_and_not_the_test_set(training: Path) -> None:
    dataset = open_dataset(f"trackingnet-train:{training}")
    assert dataset.name == "trackingnet-train"
    assert [(s.name, s.dataset, len(s.truth), s.hidden) for s in dataset.sequences] == [
        ("a_1", "trackingnet-train", 2, False),
        ("b_2", "trackingnet-train", 3, False),
    ]
    assert dataset.notes == ("10 of the 12 parts of the training set are not there",)


def test_a_part_alone_is_whole(training: Path) -> None:
    dataset = open_dataset(f"trackingnet-train:{training / 'TRAIN_10'}")
    assert ([s.name for s in dataset.sequences], dataset.notes) == (["b_2"], ())


def test_the_parts_alone_are_recognised(training: Path) -> None:
    shutil.rmtree(training / "TEST")
    assert open_dataset(training).name == "trackingnet-train"


def test_sequences_of_any_part_can_be_left_out(training: Path) -> None:
    assert [s.name for s in open_dataset(f"trackingnet-train:{training}", skip=["a_1"]).sequences] == ["b_2"]
    with pytest.raises(InputError, match=r"has no sequence 'c'; it has a_1, b_2$"):
        open_dataset(f"trackingnet-train:{training}", skip=["c"])


@pytest.mark.parametrize("below", ["TEST", "TRAIN_3"])
def test_the_test_set_is_no_training_set(training: Path, below: str) -> None:
    with pytest.raises(FootageError, match=r"is no training set of TrackingNet: looked for anno/NAME\.txt"):
        open_dataset(f"trackingnet-train:{training / below}")
