from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ostrack_edge.runtime.errors import OutputError
from ostrack_edge.runtime.files import check_place, whole_or_nothing


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_place(tmp_path / "report.json")
    with pytest.raises(OutputError, match=r"there is no folder .*nowhere"):
        check_place(tmp_path / "nowhere" / "report.json")
    with pytest.raises(OutputError, match="is a folder"):
        check_place(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="is not writable"):
        check_place(tmp_path / "report.json")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_or_nothing(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"

    def stopped() -> None:
        with whole_or_nothing(path) as half:
            half.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("named", [True, False])
def test_a_full_disk_is_told_with_the_file(tmp_path: Path, named: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fill() -> None:
        with whole_or_nothing(path) as partial:
            partial.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device", *([str(partial)] if named else []))

    with pytest.raises(OutputError) as caught:
        fill()
    assert str(caught.value) == (
        f"{path} cannot be written: No space left on device; free some space there and run it again"
    )
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "gone"), FileNotFoundError(errno.ENOENT, "no", "/b")])
def test_errors_about_something_else_go_through(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(type(error)), whole_or_nothing(tmp_path / "a.txt"):
        raise error
    assert list(tmp_path.iterdir()) == []
