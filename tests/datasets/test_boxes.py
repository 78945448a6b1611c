import math
from pathlib import Path

import pytest
from ostrack_edge import Box
from ostrack_edge.datasets import read_boxes, truth_path, write_boxes
from ostrack_edge.runtime.errors import FootageError, OutputError


@pytest.mark.parametrize("line", ["1,2.5,3,4e1", "1\t2.5\t3\t40", "1 2.5  3 40", " 1, 2.5, 3, 40 ", "1,2.5,3,40\r"])
def test_separators(tmp_path: Path, line: str) -> None:
    path = tmp_path / "groundtruth.txt"
    path.write_bytes(f"{line}\n5,6,7,8\n\n".encode())
    assert read_boxes(path) == [Box(1, 2.5, 3, 40), Box(5, 6, 7, 8)]


def test_a_byte_order_mark_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "groundtruth.txt"
    path.write_bytes(b"\xef\xbb\xbf1,2,3,4\n")
    assert read_boxes(path) == [Box(1, 2, 3, 4)]


def test_nan_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "groundtruth.txt"
    path.write_text("1,2,3,4\nNaN,NaN,NaN,NaN\nnan nan nan nan\n")
    boxes = read_boxes(path)
    assert len(boxes) == 3
    assert all(math.isnan(value) for box in boxes[1:] for value in box)


@pytest.mark.parametrize(
    ("line", "said"),
    [("1,2,3", "1,2,3"), ("1,2,3,x", "1,2,3,x"), ("1,2,3,inf", "inf"), ("", "''"), ("1,2,3,4,5,6,7,8", "polygon")],
)
def test_a_line_that_is_no_box_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "groundtruth.txt"
    path.write_text(f"1,2,3,4\n{line}\n1,2,3,4\n")
    with pytest.raises(FootageError, match=r"groundtruth\.txt, line 2 should be four numbers") as caught:
        read_boxes(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "holds no boxes"), (b"\n \n", "no boxes"), (b"\xff\x00", "no text")]
)
def test_a_file_without_boxes_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "groundtruth.txt"
    path.write_bytes(content)
    with pytest.raises(FootageError, match=said):
        read_boxes(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"gone\.txt cannot be read: No such file"):
        read_boxes(tmp_path / "gone.txt")


def test_written_with_four_decimals(tmp_path: Path) -> None:
    path = tmp_path / "boxes.txt"
    write_boxes(path, [Box(1, 2, 3, 4), Box(0.12345678, -5.5, 1e3, 1 / 3)])
    assert path.read_text() == "1.0000,2.0000,3.0000,4.0000\n0.1235,-5.5000,1000.0000,0.3333\n"


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "boxes.txt"
    write_boxes(path, [Box(1, 2, 3, 4)])

    def full(self: Path, *_: object, **__: object) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OutputError, match=r"boxes\.txt cannot be written: No space left"):
            write_boxes(path, [Box(5, 6, 7, 8)])
    assert [p.name for p in tmp_path.iterdir()] == ["boxes.txt"]
    assert read_boxes(path) == [Box(1, 2, 3, 4)]


def test_where_a_videos_truth_lies() -> None:
    assert truth_path(Path("films/bag.one.avi")) == Path("films/bag.one.groundtruth.txt")
