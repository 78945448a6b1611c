"""Files of arrays, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.calib.arrays import read_arrays


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, a=np.arange(50), b=np.array(["x"]))
    return path


def test_the_names_asked_for(file: Path) -> None:
    found = read_arrays(file, ["b"])
    assert list(found) == ["b"]
    assert found["b"].tolist() == ["x"]


def test_any_damaged_byte_is_a_value_error_or_does_no_harm(file: Path) -> None:
    """Every byte in turn: what is read is what was written, or an error that says so."""
    whole, refusals = file.read_bytes(), []
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = read_arrays(file, ["a", "b"])
        except ValueError as error:
            refusals.append(str(error))
        else:
            assert found["a"].tolist() == list(range(50))
            assert found["b"].tolist() == ["x"]
    assert len(refusals) > len(whole) / 2
    assert all(refusals)
    assert not [text for text in refusals if "\n" in text]


@pytest.mark.parametrize("length", [0, 1, 10, 100, -1, -22])
def test_a_file_cut_short_is_a_value_error(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"\S"):
        read_arrays(file, ["a"])


def test_other_files_and_missing_names(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="c"):
        read_arrays(file, ["a", "c"])
    np.save(tmp_path / "one.npy", np.arange(3))
    with pytest.raises(ValueError, match=r"it is no \.npz file"):
        read_arrays(tmp_path / "one.npy", ["a"])
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "absent.npz", ["a"])


class _Runs:
    def __reduce__(self) -> tuple:
        return Path.write_text, (Path("pickled"), "ran")


def test_nothing_that_was_pickled_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "evil.npz", a=np.array([_Runs()], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_arrays(tmp_path / "evil.npz", ["a"])
    assert not (tmp_path / "pickled").exists()
