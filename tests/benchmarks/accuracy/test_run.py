"""Whole runs in processes of their own: what is finished stays, whatever happens to the rest."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from ostrack_edge.benchmarks.accuracy import (
    Entrant,
    RunOptions,
    RunOutcome,
    StartPlan,
    bundle_entrants,
    open_runs,
    peer_entrant,
    run_accuracy,
    score_runs,
)
from ostrack_edge.benchmarks.accuracy.store import read_trajectory
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BenchmarkError, OutputError

from .conftest import CLIPS

INTERRUPTED = """
import os, signal, sys
from ostrack_edge._command import run_app
from ostrack_edge.benchmarks.accuracy import pool
from ostrack_edge.benchmarks.cli import app

hear = pool._hear


def interrupt_after_a_result(worker, run):
    hear(worker, run)
    if worker.task is None:
        os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    pool._hear = interrupt_after_a_result
    run_app(app)
"""


def options(clips: Path, out: Path, **changes: object) -> RunOptions:
    plain = {"dataset": f"folders:{clips}", "protocol": "otb", "out": out, "command": "a command", "threads": 1}
    return RunOptions(**{**plain, "starts": StartPlan(), **changes})  # type: ignore[arg-type]


def run(chosen: RunOptions, entrants: Sequence[Entrant], only: Sequence[str] = ()) -> RunOutcome:
    return run_accuracy(chosen, open_dataset(chosen.dataset, only=only), entrants)


@pytest.fixture
def ours(tiny_bundle: Path) -> list[Entrant]:
    return bundle_entrants(Bundle.open(tiny_bundle), (), (), "tiny")


def results(out: Path, entrant: str = "tiny-onnxruntime-fp32") -> dict[str, int]:
    """Names of the result files and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in sorted((out / "results" / entrant).iterdir())}


def test_two_entrants_in_two_processes(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    outcome = run(options(clips, tmp_path / "run", jobs=2), [*ours, peer_entrant("mil:")])
    assert (outcome.done, outcome.kept, outcome.left, outcome.failures) == (4, 0, 0, ())
    runs = open_runs([tmp_path / "run"])
    assert {s.name: s.frames for s in runs.sequences} == CLIPS
    for scores in score_runs(runs):
        assert [s.sequence.name for s in scores.sequences] == ["one", "two"]
        assert scores.summary is not None
        assert scores.frames_per_second is not None
        assert len(scores.update_seconds) == sum(CLIPS.values()) - len(CLIPS)
        track = scores.sequences[0].tracks[0]
        assert np.isfinite(track.boxes).all()
        assert track.size == (128, 96)
        assert track.engine["threads"] == "1"
    assert [e.trained for e in runs.entrants] == [False, True]


def test_a_second_run_does_what_is_left(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    out = tmp_path / "run"
    first = run(options(clips, out), ours, only=("one",))
    before = results(out)
    second = run(options(clips, out, command="another"), ours)
    assert (first.done, second.done, second.kept) == (1, 1, 1)
    assert results(out)["one.npz"] == before["one.npz"]
    assert second.record.commands == ("a command", "another")
    (out / "results" / "tiny-onnxruntime-fp32" / "one.npz").write_bytes(b"cut short")
    third = run(options(clips, out), ours)
    assert (third.done, third.kept) == (1, 1)
    assert len(read_trajectory(out / "results" / "tiny-onnxruntime-fp32" / "one.npz")) == CLIPS["one"]


def test_a_result_with_a_damaged_byte_is_made_again(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    chosen = options(clips, tmp_path / "run")
    run(chosen, ours)
    path = tmp_path / "run" / "results" / "tiny-onnxruntime-fp32" / "two.npz"
    whole = read_trajectory(path)
    data = bytearray(path.read_bytes())
    # The method of compression of the first member, in the directory at the end.
    data[data.index(b"PK\x01\x02") + 10] = 99
    path.write_bytes(data)
    outcome = run(chosen, ours)
    assert (outcome.done, outcome.kept) == (1, 1)
    np.testing.assert_array_equal(read_trajectory(path).boxes, whole.boxes)


def test_parts_share_out_a_run_and_join_again(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    for number in (1, 2):
        run(options(clips, tmp_path / str(number), part=(number, 2)), ours)
    run(options(clips, tmp_path / "whole"), ours)
    parts, whole = open_runs([tmp_path / "1", tmp_path / "2"]), open_runs([tmp_path / "whole"])
    for sequence in whole.sequences:
        (a,), (b,) = (runs.tracks(ours[0].name, sequence) for runs in (parts, whole))
        np.testing.assert_array_equal(a.boxes, b.boxes)


def test_restarts_seeds_and_anchors(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    plan = StartPlan(restart_every=4, seeds=(1, 2))
    run(options(clips, tmp_path / "a", starts=plan), ours, only=("one",))
    assert list(results(tmp_path / "a")) == [
        f"one{at}__seed{seed}.npz" for at, seed in (("__at4", 1), ("__at4", 2), ("", 1), ("", 2))
    ]
    anchored = options(clips, tmp_path / "b", starts=StartPlan(anchored=True), protocol="vot2020")
    run(anchored, ours, only=("two",))
    assert list(results(tmp_path / "b")) == ["two.npz", "two__back5.npz"]
    (scores,) = score_runs(open_runs([tmp_path / "b"]))
    assert scores.summary is not None
    assert {"accuracy", "robustness"} <= scores.summary.figures.keys()
    assert len(scores.sequences[0].tracks[0].runs) == 2


def test_the_first_frames_alone(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    run(options(clips, tmp_path / "run", most_frames=3), ours)
    assert [s.frames for s in open_runs([tmp_path / "run"]).sequences] == [3, 3]
    with pytest.raises(BenchmarkError, match="other frames of each sequence"):
        run(options(clips, tmp_path / "run"), ours)


def test_a_damaged_frame_costs_its_own_sequence(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    broken, out = tmp_path / "clips", tmp_path / "run"
    shutil.copytree(clips, broken)
    frame = broken / "one" / "img" / "0004.png"
    whole = frame.read_bytes()
    frame.write_bytes(b"")
    outcome = run(options(broken, out), ours)
    assert list(results(out)) == ["two.npz"]
    with pytest.raises(BenchmarkError, match=r"on one: .*0004\.png .*the 1 finished results are in"):
        outcome.check(out)
    frame.write_bytes(whole)
    again = run(options(broken, out), ours)
    assert (again.done, again.kept, again.failures) == (1, 1, ())


def test_a_place_that_cannot_be_written_ends_the_run(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    out = tmp_path / "run"
    # The longest is run first: it cannot be put where a folder stands, and the other is not begun.
    (out / "results" / ours[0].name / "one.npz").mkdir(parents=True)
    run(options(clips, tmp_path / "made"), ours)
    shutil.copytree(tmp_path / "made" / "truth", out / "truth")
    shutil.copy(tmp_path / "made" / "run.json", out)
    outcome = run(options(clips, out), ours)
    assert (outcome.done, outcome.left) == (0, 1)
    with pytest.raises(BenchmarkError, match=r"one\.npz cannot be written: Is a directory; .*1 were not begun"):
        outcome.check(out)


def test_a_process_that_dies_costs_its_own_task(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    # Made with its number of threads, this "tracker" sends its process signal 9.
    outcome = run(options(clips, tmp_path / "run", threads=9), [Entrant(ours[0].record, signal.raise_signal)])  # type: ignore[arg-type]
    assert [f.task.sequence for f in outcome.failures] == ["one", "two"]
    assert {f.sentence for f in outcome.failures} == {"its process ended with signal 9, as when memory runs out"}


def test_an_interrupted_run_keeps_what_is_finished(clips: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "run"
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    command = ["accuracy", tiny_bundle, "--dataset", f"folders:{clips}", "--out", out, "--name", "tiny"]
    done = subprocess.run(
        [sys.executable, script, *map(str, command)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (130, "interrupted")
    assert list(results(out)) == ["one.npz"]
    resumed = run(options(clips, out), bundle_entrants(Bundle.open(tiny_bundle), (), (), "tiny"))
    assert (resumed.done, resumed.kept) == (1, 1)


def test_workers_end_with_their_parent(clips: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    command = ["accuracy", tiny_bundle, "--dataset", f"folders:{clips}", "--out", tmp_path / "run", "--jobs", "2"]
    code = "from ostrack_edge.benchmarks.cli import main\nif __name__ == '__main__':\n    main()\n"
    (tmp_path / "bench.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "bench.py", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    children: list[int] = []
    deadline = monotonic() + 60
    while len(children) < 2 and parent.poll() is None and monotonic() < deadline:
        children = [int(n) for n in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]
        sleep(0.01)
    parent.kill()
    assert parent.stdout is not None
    # The pipe ends when its last holder does: the parent and each of its workers.
    parent.stdout.read()
    parent.stdout.close()
    parent.wait()
    assert len(children) >= 2


def test_what_cannot_be_run(clips: Path, tmp_path: Path, ours: list[Entrant]) -> None:
    dataset = open_dataset(f"folders:{clips}")
    with pytest.raises(BenchmarkError, match=r"no sequence of .* is left to run"):
        run(options(clips, tmp_path / "a", part=(3, 3)), ours)
    with pytest.raises(BenchmarkError, match="two entrants are called tiny-onnxruntime-fp32"):
        run_accuracy(options(clips, tmp_path / "a"), dataset, [*ours, *ours])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file; give the name of a folder"):
        run(options(clips, tmp_path / "file"), ours)
    with pytest.raises(OutputError, match="holds other files and no run"):
        run(options(clips, tmp_path), ours)
    assert not (tmp_path / "a").exists()
