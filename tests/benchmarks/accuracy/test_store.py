from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.accuracy.store import (
    Trajectory,
    Truth,
    file_name,
    read_trajectory,
    read_truth,
    result_path,
    write_trajectory,
    write_truth,
)
from ostrack_edge.runtime.errors import BenchmarkError, OutputError

BOXES = np.array([[1.5, 2, 3, 4], [np.nan] * 4])


def trajectory(boxes: np.ndarray = BOXES) -> Trajectory:
    n = len(boxes)
    return Trajectory(3, True, (64, 48), boxes, np.full(n, np.nan), np.arange(float(n)), {"device": "cpu"})


def test_a_trajectory_comes_back(tmp_path: Path) -> None:
    path = result_path(tmp_path, "ours", "a b", "__at3")
    write_trajectory(path, trajectory())
    found = read_trajectory(path)
    assert path == tmp_path / "results" / "ours" / "a b__at3.npz"
    np.testing.assert_array_equal(found.boxes, BOXES)
    np.testing.assert_array_equal(found.seconds, [0, 1])
    assert (found.first, found.backward, found.size, found.engine) == (3, True, (64, 48), {"device": "cpu"})
    assert np.isnan(found.scores).all()


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_trajectory(path, trajectory())
    whole = path.read_bytes()
    for damaged in (whole[:-30], b"", b"text", whole[:60] + b"\0" * 40 + whole[100:]):
        path.write_bytes(damaged)
        with pytest.raises(BenchmarkError, match=r"a\.npz is damaged"):
            read_trajectory(path)
    write_trajectory(path, Trajectory(0, False, (1, 1), BOXES, np.zeros(3), np.zeros(2), {}))
    with pytest.raises(BenchmarkError, match="different lengths"):
        read_trajectory(path)
    with pytest.raises(FileNotFoundError):
        read_trajectory(tmp_path / "b.npz")


def test_any_damaged_byte_is_named_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "results" / "a.npz"
    write_trajectory(path, trajectory(np.random.default_rng(0).random((40, 4))))
    truth = Truth(BOXES, np.array([False, True]), np.zeros(2, np.int8))
    write_truth(tmp_path, "a", truth)
    boxes = read_trajectory(path).boxes
    named = others = 0
    for file, read in [
        (path, lambda: read_trajectory(path).boxes),
        (tmp_path / "truth" / "a.npz", lambda: read_truth(tmp_path, "a").boxes),
    ]:
        whole, expected = file.read_bytes(), read()
        for i in range(len(whole)):
            for flip in (0x01, 0x10, 0xFF):
                file.write_bytes(whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :])
                try:
                    np.testing.assert_array_equal(read(), expected)
                except BenchmarkError as error:
                    named += "a.npz is damaged" in str(error)
                    others += "a.npz is damaged" not in str(error)
        file.write_bytes(whole)
    np.testing.assert_array_equal(read_trajectory(path).boxes, boxes)
    assert (named > 100, others) == (True, 0)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    write_trajectory(path, trajectory())

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device; free some space there"):
        write_trajectory(path, trajectory(BOXES[:1]))
    assert len(read_trajectory(path)) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_the_truth_of_a_folder_stays(tmp_path: Path) -> None:
    truth = Truth(BOXES, np.array([False, True]), np.zeros(2, np.int8))
    write_truth(tmp_path, "a", truth)
    write_truth(tmp_path, "a", truth)
    np.testing.assert_array_equal(read_truth(tmp_path, "a").boxes, BOXES)
    with pytest.raises(BenchmarkError, match="another truth for a"):
        write_truth(tmp_path, "a", Truth(BOXES + 1, truth.absent, truth.anchors))
    with pytest.raises(BenchmarkError, match=r"b\.npz is missing"):
        read_truth(tmp_path, "b")


@pytest.mark.parametrize(
    ("name", "file"), [("bike-1", "bike-1"), ("a/b", "a%2Fb"), ("..", "%2E%2E"), ("a:b*", "a%3Ab%2A"), ("ä", "%C3%A4")]
)
def test_names_become_parts_of_paths(name: str, file: str) -> None:
    assert file_name(name) == file
