from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.accuracy import StartPlan, compare_runs, open_runs, score_runs
from ostrack_edge.benchmarks.accuracy.compare import verdict
from ostrack_edge.benchmarks.accuracy.paired import sequence_weights, sequences_interval
from ostrack_edge.benchmarks.accuracy.record import EntrantKind, read_record, write_record
from ostrack_edge.benchmarks.accuracy.store import Trajectory, result_path, write_trajectory, write_truth
from ostrack_edge.benchmarks.accuracy.store import Truth as Stored
from ostrack_edge.benchmarks.accuracy.table import accuracy_json, notes
from ostrack_edge.benchmarks.bootstrap import over_sequences
from ostrack_edge.runtime.errors import BenchmarkError

from .made import entrant_record, moving_truth, write_run

OURS, THEIRS = entrant_record("ours"), entrant_record("theirs")
NAMES = ("one", "two", "three")

PERFECT = 20 / 21
"""Success AUC of exact boxes: an IoU of 1 is not strictly above the last threshold, 1."""

HALF = 7 / 21
"""Of an IoU of 1/3, strictly above 0, 0.05, ..., 0.3: a box of 20 pixels shifted by 10."""


def test_shifted_boxes_score_by_hand(tmp_path: Path) -> None:
    shifts = {("ours", "one"): 0.0, ("ours", "two"): 10.0}
    (scores,) = score_runs(open_runs([write_run(tmp_path / "run", [OURS], shifts)]))
    assert [s.sequence.name for s in scores.sequences] == ["one", "two"]
    assert scores.sequences[0].figure("success_auc") == pytest.approx(PERFECT)
    # The first of its ten frames is the given box.
    second = (PERFECT + 9 * HALF) / 10
    assert scores.sequences[1].figure("success_auc") == pytest.approx(second)
    assert scores.summary is not None
    assert scores.summary.figures["success_auc"] == pytest.approx((PERFECT + second) / 2)
    assert scores.frames_per_second == pytest.approx(100)


def test_frames_of_restarts_are_not_scored(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [OURS], {}, starts=StartPlan(restart_every=5), sequences=("one",))
    for first, suffix in ((0, ""), (5, "__at5")):
        boxes = moving_truth()[first : first + 5]
        boxes[1:, 0] += 10
        part = Trajectory(first, False, (100, 80), boxes, np.zeros(5), np.zeros(5), {})
        write_trajectory(result_path(run, "ours", "one", suffix), part)
    (scores,) = score_runs(open_runs([run]))
    # Nine frames: the first, which OTB counts, and eight that were tracked.
    assert scores.sequences[0].figure("success_auc") == pytest.approx((PERFECT + 8 * HALF) / 9)
    assert scores.frames_per_second is None


def test_seeds_are_averaged(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [OURS], {}, starts=StartPlan(seeds=(4, 5)), sequences=("one",))
    for seed, shift in ((4, 0.0), (5, 10.0)):
        boxes = moving_truth()
        boxes[1:, 0] += shift
        part = Trajectory(0, False, (100, 80), boxes, np.zeros(10), np.zeros(10), {})
        write_trajectory(result_path(run, "ours", "one", f"__seed{seed}"), part)
    (scores,) = score_runs(open_runs([run]))
    assert scores.sequences[0].figure("success_auc") == pytest.approx((PERFECT + (PERFECT + 9 * HALF) / 10) / 2)


def test_hidden_truth_is_not_scored_but_timed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [OURS], {("ours", "one"): 0.0}, sequences=("one",))
    (run / "truth" / "one.npz").unlink()
    write_truth(run, "one", Stored(moving_truth(1), np.zeros(1, bool), np.zeros(1, np.int8)))
    runs = open_runs([run])
    scores = score_runs(runs)
    assert scores[0].summary is None
    assert scores[0].frames_per_second == pytest.approx(100)
    assert "ours: the truth is hidden, the benchmark's server has to score the results" in notes(runs, scores)
    assert accuracy_json(runs, scores)["entrants"][0]["figures"] is None


def test_noise_is_called_noise(tmp_path: Path) -> None:
    noisy = entrant_record("tiny", trained=False)
    runs = open_runs([write_run(tmp_path / "run", [noisy, OURS], {("tiny", "one"): 0.0, ("ours", "one"): 0.0})])
    lines = notes(runs, score_runs(runs))
    assert lines[0] == "tiny: made-up weights: its boxes are noise, and so is its score"
    assert not any(line.startswith("ours") for line in lines)


def test_a_clear_difference_is_called_one(tmp_path: Path) -> None:
    shifts = {("ours", name): 0.0 for name in NAMES} | {("theirs", name): 10.0 for name in NAMES}
    run = write_run(tmp_path / "run", [OURS, THEIRS], shifts)
    (found,) = compare_runs([run], baseline="theirs")
    assert (found.a_name, found.b_name, found.figure) == ("ours", "theirs", "success_auc")
    assert found.over_sequences.difference == pytest.approx(0.9 * (PERFECT - HALF))
    assert found.over_sequences.differs
    assert found.over_frames.differs
    assert [row.sequence for row in found.sequences] == list(NAMES)
    assert verdict(found) == "ours is better than theirs by 0.557 in success AUC"


def test_runs_of_the_same_tracker_are_compared_with_each_other(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", [OURS], {("ours", "one"): 10.0, ("ours", "two"): 0.0})
    b = write_run(tmp_path / "b", [entrant_record("ours", weights="v")], {("ours", n): 0.0 for n in NAMES})
    (found,) = compare_runs([a, b])
    assert (found.a_name, found.b_name) == (f"ours in {a}", f"ours in {b}")
    assert found.left_out == ("three",)
    assert [row.interval.difference for row in found.sequences] == pytest.approx([-0.9 * (PERFECT - HALF), 0])
    # One of two sequences differs: drawn twice, the other shows nothing.
    assert not found.over_sequences.differs
    assert "too few, or too unlike each other, to say so of others" in verdict(found)
    (same,) = compare_runs([b, b])
    assert verdict(same).startswith("no difference between")


def test_runs_of_other_trackers_are_joined(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", [OURS], {("ours", "one"): 10.0})
    b = write_run(tmp_path / "b", [THEIRS], {("theirs", "one"): 0.0})
    (found,) = compare_runs([a, b])
    assert (found.a_name, found.b_name) == ("theirs", "ours")


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", [OURS], {("ours", "one"): 10.0})
    with pytest.raises(BenchmarkError, match="hold ours alone; name a run of another tracker"):
        compare_runs([a])
    b = write_run(tmp_path / "b", [THEIRS], {("theirs", "two"): 0.0})
    with pytest.raises(BenchmarkError, match="theirs and ours have no scored sequence in common"):
        compare_runs([a, b])
    c = write_run(tmp_path / "c", [OURS], {("ours", "one"): 10.0}, dataset="otb")
    with pytest.raises(BenchmarkError, match="other data set"):
        compare_runs([a, c])
    with pytest.raises(BenchmarkError, match="there is no entrant 'mine'"):
        compare_runs([a, b], baseline="mine")


def add(run: Path, entrant: str, sequence: str, shift: float, frames: int) -> None:
    """A result and its truth of another length than the run's."""
    path = run / "truth" / f"{sequence}.npz"
    path.unlink()
    write_truth(run, sequence, Stored(moving_truth(frames), np.zeros(frames, bool), np.zeros(frames, np.int8)))
    boxes = moving_truth(frames)
    boxes[1:, 0] += shift
    part = Trajectory(0, False, (200, 80), boxes, np.zeros(frames), np.zeros(frames), {})
    write_trajectory(result_path(run, entrant, sequence, ""), part)


def test_two_parts_of_one_run_are_joined(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", [OURS, THEIRS], {("ours", "one"): 0, ("theirs", "one"): 10}, sequences=("one",))
    b = write_run(tmp_path / "b", [OURS, THEIRS], {("ours", "two"): 0, ("theirs", "two"): 10}, sequences=("two",))
    (found,) = compare_runs([a, b])
    assert (found.a_name, found.b_name) == ("theirs", "ours")
    assert [row.sequence for row in found.sequences] == ["one", "two"]


def test_got10k_is_compared_by_the_tables_figures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [OURS, THEIRS], {}, sequences=("one", "two", "three"), protocol="got10k")
    record = read_record(run)
    lengths = {"one": 5, "two": 40, "three": 90}
    sequences = tuple(replace(s, frames=lengths[s.name]) for s in record.dataset.sequences)
    write_record(run, replace(record, dataset=replace(record.dataset, sequences=sequences)))
    for name, frames in lengths.items():
        add(run, "ours", name, 10.0 if name == "one" else 0.0, frames)
        add(run, "theirs", name, 0.0 if name == "one" else 10.0, frames)
    ours, theirs = score_runs(open_runs([run]))
    (found,) = compare_runs([run], baseline="theirs")
    assert ours.summary is not None
    assert theirs.summary is not None
    a, b = ours.summary.figures["ao"], theirs.summary.figures["ao"]
    assert (found.a, found.b) == pytest.approx((a, b))
    assert a > 0.9, "the short sequence that it lost has hardly a say"
    for interval in (found.over_sequences, found.over_frames):
        assert interval.difference == pytest.approx(a - b)
        assert interval.low <= a - b <= interval.high
    pytest.importorskip("jinja2", reason="the report needs the extra [report]")
    from ostrack_edge.benchmarks.report_html.differences import find_differences

    shown = find_differences([theirs, ours], set(lengths), "ao")
    assert [d.over for d in shown] == ["sequences", "frames"]
    assert [d.value for d in shown] == pytest.approx([a - b, a - b])


def test_trackingnets_difference_is_that_of_its_figures(tmp_path: Path) -> None:
    shifts = {("ours", "one"): 3.0, ("theirs", "one"): 10.0}
    run = write_run(tmp_path / "run", [OURS, THEIRS], shifts, sequences=("one",), protocol="trackingnet")
    (found,) = compare_runs([run], baseline="theirs")
    assert found.over_frames.difference == pytest.approx(found.a - found.b)
    assert found.over_sequences.difference == pytest.approx(found.a - found.b)


def test_weights_are_drawn_with_their_sequences() -> None:
    plain = sequences_interval([0.5, 0.7, 0.1], [0.2, 0.1, 0.3], np.ones(3))
    assert plain == over_sequences([0.5, 0.7, 0.1], [0.2, 0.1, 0.3])
    weighted = sequences_interval([1.0, 0.0], [0.0, 0.0], sequence_weights([1, 3], "ao"))
    assert (weighted.difference, weighted.low, weighted.high) == pytest.approx((0.25, 0, 1))
    assert sequence_weights([1, 3], "miou").tolist() == [1, 1]


def test_a_sequence_without_a_truth_to_score_by_is_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [OURS], {("ours", n): 0.0 for n in NAMES})
    (run / "truth" / "two.npz").unlink()
    write_truth(run, "two", Stored(moving_truth(), np.ones(10, bool), np.zeros(10, np.int8)))
    runs = open_runs([run])
    (scores,) = score_runs(runs)
    assert scores.summary is not None
    assert scores.summary.sequences == 2
    lines = notes(runs, [scores])
    assert "left out, as no frame has a truth to score by: two" in lines
    assert not any("hidden" in line for line in lines)


def test_rows_over_different_sequences_are_told(tmp_path: Path) -> None:
    names = tuple("abcdefg")
    given = replace(entrant_record("paper"), kind=EntrantKind.RESULTS)
    shifts = {("ours", n): 0.0 for n in names} | {("paper", "a"): 0.0}
    runs = open_runs([write_run(tmp_path / "run", [OURS, given], shifts, sequences=names)])
    lines = notes(runs, score_runs(runs))
    assert any(line.startswith("finished sequences: ours 7, paper 1; each row is over its own") for line in lines)
    assert "paper: no results of b, c, d, e and 2 more" in lines
    whole = open_runs([write_run(tmp_path / "whole", [OURS], {("ours", n): 0.0 for n in NAMES})])
    assert not any("finished sequences" in line for line in notes(whole, score_runs(whole)))


def test_no_eao_of_short_runs(tmp_path: Path) -> None:
    shifts = {("ours", "one"): 0.0}
    runs = open_runs([write_run(tmp_path / "run", [OURS], shifts, sequences=("one",), protocol="vot2020")])
    (scores,) = score_runs(runs)
    assert scores.summary is not None
    assert "eao" not in scores.summary.figures
    assert any(line.startswith("no EAO: ") and "left out where no run" in line for line in notes(runs, [scores]))
    long = write_run(tmp_path / "long", [OURS], shifts, sequences=("one",), protocol="vot2020", frames=120)
    (scores,) = score_runs(open_runs([long]))
    assert scores.summary is not None
    assert scores.summary.figures["eao"] > 0
