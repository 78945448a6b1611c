from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.accuracy.record import RunRecord, continue_record, read_record
from ostrack_edge.benchmarks.accuracy.starts import StartPlan
from ostrack_edge.runtime.errors import BenchmarkError

from .made import entrant_record, write_run


def record(folder: Path, **changes: object) -> RunRecord:
    return dataclasses.replace(read_record(folder), **changes)  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", [entrant_record("ours")], {("ours", "one"): 0.0})


def test_going_on_adds_to_what_is_there(run: Path) -> None:
    old = read_record(run)
    more = dataclasses.replace(old.dataset, sequences=old.dataset.sequences[:1])
    new = record(run, created="later", commands=("second",), dataset=more, entrants=(entrant_record("theirs"),))
    joined = continue_record(old, new, run)
    assert [e.name for e in joined.entrants] == ["ours", "theirs"]
    assert joined.commands == ("ostrack-bench accuracy", "second")
    assert (joined.created, joined.dataset.sequences) == (old.created, old.dataset.sequences)


def test_what_does_not_go_together(run: Path) -> None:
    old = read_record(run)
    dataset = old.dataset
    cases = [
        ({"dataset": dataclasses.replace(dataset, name="otb")}, r"other data set \(folders, not otb\)"),
        ({"dataset": dataclasses.replace(dataset, protocol="lasot")}, "other metrics"),
        ({"dataset": dataclasses.replace(dataset, most_frames=4)}, r"other frames of each sequence \(all, not 4\)"),
        ({"starts": StartPlan(restart_every=5)}, "other starts"),
        ({"entrants": (entrant_record("ours", weights="v"),)}, r"another ours \(other weights\)"),
        (
            {"dataset": dataclasses.replace(dataset, sequences=(dataclasses.replace(dataset.sequences[0], frames=9),))},
            "holds one with 10 frames",
        ),
    ]
    for changes, sentence in cases:
        with pytest.raises(BenchmarkError, match=sentence):
            continue_record(old, record(run, **changes), run)


def test_no_run_and_damaged_runs(run: Path) -> None:
    path = run / "run.json"
    data = json.loads(path.read_text())
    for text, sentence in [
        (json.dumps({**data, "schema": 2}), "has schema 2, this package reads 1"),
        (json.dumps({**data, "jobs": "many"}), r"is damaged \(run\.json\.jobs should be int"),
        (json.dumps({**data, "dataset": {**data["dataset"], "protocol": "otp"}}), r"is damaged \(.*protocol is 'otp'"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
    ]:
        path.write_text(text)
        with pytest.raises(BenchmarkError, match=sentence):
            read_record(run)
    path.unlink()
    with pytest.raises(BenchmarkError, match=r"is no run: it holds no run\.json"):
        read_record(run)
