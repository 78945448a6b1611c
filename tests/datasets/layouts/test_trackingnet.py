from pathlib import Path

import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError


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
