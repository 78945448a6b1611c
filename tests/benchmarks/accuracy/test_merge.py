from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.accuracy import StartPlan, group_runs, open_runs
from ostrack_edge.benchmarks.accuracy.store import Trajectory, result_path, write_trajectory
from ostrack_edge.runtime.errors import BenchmarkError

from .made import entrant_record, moving_truth, write_run

OURS, THEIRS = entrant_record("ours"), entrant_record("theirs")


def test_parts_of_two_machines_are_one_run(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", [OURS], {("ours", "one"): 1.0}, sequences=("one", "two"))
    b = write_run(tmp_path / "b", [OURS, THEIRS], {("ours", "two"): 2.0, ("ours", "three"): 3.0})
    runs = open_runs([a, b])
    assert [s.name for s in runs.sequences] == ["one", "two", "three"]
    assert [e.name for e in runs.entrants] == ["ours", "theirs"]
    shifts = [runs.tracks("ours", s)[0].boxes[1, 0] - moving_truth()[1, 0] for s in runs.sequences]
    assert shifts == [1.0, 2.0, 3.0]
    assert runs.tracks("theirs", runs.sequences[0]) == []


def test_equal_results_twice_are_no_conflict(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / n, [OURS], {("ours", "one"): 1.0}) for n in ("a", "b")]
    runs = open_runs(folders)
    assert len(runs.tracks("ours", runs.sequences[0])) == 1


def test_conflicts_are_refused(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", [OURS], {("ours", "one"): 1.0})
    b = write_run(tmp_path / "b", [OURS], {("ours", "one"): 2.0})
    runs = open_runs([a, b])
    with pytest.raises(BenchmarkError, match=r"ours has different results for one in .*/a and .*/b"):
        runs.tracks("ours", runs.sequences[0])
    c = write_run(tmp_path / "c", [entrant_record("ours", weights="v")], {})
    with pytest.raises(BenchmarkError, match=r"/a holds another ours \(other weights\) than .*/c;"):
        open_runs([a, c])
    d = write_run(tmp_path / "d", [OURS], {}, frames=11)
    with pytest.raises(
        BenchmarkError,
        match=r"/a holds one with 10 frames of category None, and .*/d 11 of None: it is another sequence",
    ):
        open_runs([a, d])


def test_another_truth_is_refused(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", [OURS], {})
    b = write_run(tmp_path / "b", [OURS], {})
    np.savez(
        b / "truth" / "two.npz", truth=moving_truth() + 1, absent=np.zeros(10, bool), anchors=np.zeros(10, np.int8)
    )
    with pytest.raises(BenchmarkError, match="different truths of two"):
        open_runs([a, b])


def test_other_data_make_other_groups(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", [OURS], {})
    b = write_run(tmp_path / "b", [OURS], {}, dataset="otb")
    c = write_run(tmp_path / "c", [THEIRS], {})
    assert [runs.folders for runs in group_runs([a, b, c])] == [(a, c), (b,)]
    with pytest.raises(BenchmarkError, match=r"/a and .*/b hold runs with other data set \(folders and otb\)"):
        open_runs([a, b])
    with pytest.raises(BenchmarkError, match="no run was named"):
        open_runs([])


def test_restarts_are_joined_when_all_are_there(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [OURS], {}, starts=StartPlan(restart_every=4))

    def write(suffix: str, first: int, end: int) -> None:
        boxes = np.add(moving_truth()[first:end], [first, 0, 0, 0])
        n = end - first
        part = Trajectory(first, False, (100, 80), boxes, np.zeros(n), np.full(n, 0.5), {})
        write_trajectory(result_path(run, "ours", "one", suffix), part)

    runs = open_runs([run])
    write("", 0, 4)
    write("__at8", 8, 10)
    assert runs.tracks("ours", runs.sequences[0]) == []
    write("__at4", 4, 8)
    (track,) = runs.tracks("ours", runs.sequences[0])
    assert track.starts == (0, 4, 8)
    assert (track.boxes[:, 0] - moving_truth()[:, 0]).tolist() == [0] * 4 + [4] * 4 + [8] * 2
    assert len(track.update_seconds) == 7


def test_a_result_of_another_length_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [OURS], {})
    part = Trajectory(0, False, (100, 80), moving_truth(4), np.zeros(4), np.zeros(4), {})
    write_trajectory(result_path(run, "ours", "one", ""), part)
    runs = open_runs([run])
    with pytest.raises(BenchmarkError, match="ours has 4 boxes for the 10 frames of one"):
        runs.tracks("ours", runs.sequences[0])
    with pytest.raises(BenchmarkError, match="there is no entrant 'mine'; there are: ours"):
        runs.entrant("mine")
