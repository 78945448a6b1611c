from __future__ import annotations

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
