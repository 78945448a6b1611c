from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.macs.plan import Saving
from ostrack_edge.benchmarks.output import write_json
from ostrack_edge.runtime.errors import OutputError


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_dataclasses_become_objects(tmp_path: Path) -> None:
    write_json(tmp_path / "report.json", {"savings": [Saving("item", 3)]})
    assert json.loads((tmp_path / "report.json").read_text()) == {"savings": [{"item": "item", "macs": 3}]}
    assert names(tmp_path) == ["report.json"]


def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(self: Path, text: str, encoding: str) -> None:
        self.write_bytes(text.encode()[:3])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match=r"report\.json cannot be written: No space left"):
        write_json(path, {"a": 1})
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.json"]


def test_a_figure_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nan"):
        write_json(tmp_path / "report.json", {"a": float("nan")})
    assert names(tmp_path) == []
