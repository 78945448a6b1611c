from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.accuracy import RunOptions, StartPlan, open_runs, run_accuracy, score_runs
from ostrack_edge.benchmarks.accuracy.submit import write_submission
from ostrack_edge.benchmarks.formats import ResultFormat
from ostrack_edge.datasets import read_boxes
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import BenchmarkError

from .conftest import CLIPS
from .made import entrant_record, write_run


def options(clips: Path, out: Path, **changes: object) -> RunOptions:
    plain = {"dataset": f"folders:{clips}", "protocol": "otb", "out": out, "command": "", "starts": StartPlan()}
    return RunOptions(**{**plain, **changes})  # type: ignore[arg-type]


def theirs(
    clips: Path, folder: Path, separator: str = " ", origin: int = 0, names: tuple[str, ...] = tuple(CLIPS)
) -> Path:
    """Result files that hold the truth."""
    folder.mkdir()
    for name in names:
        boxes = np.add(read_boxes(clips / name / "groundtruth.txt"), [origin, origin, 0, 0])
        lines = [separator.join(f"{v:.4f}" for v in box) for box in boxes]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(("separator", "origin"), [(" ", 0), ("\t", 1), (",", 0)])
def test_published_results_are_scored(clips: Path, tmp_path: Path, separator: str, origin: int) -> None:
    folder = theirs(clips, tmp_path / "published", separator, origin)
    chosen = options(clips, tmp_path / "run")
    outcome = run_accuracy(chosen, open_dataset(chosen.dataset), [], [str(folder)])
    assert (outcome.done, outcome.failures) == (0, ())
    (scores,) = score_runs(open_runs([tmp_path / "run"]))
    assert (scores.entrant.name, str(scores.entrant.kind)) == ("published", "results")
    assert scores.summary is not None
    assert scores.summary.figures["success_auc"] == pytest.approx(20 / 21)
    assert scores.frames_per_second is None


def test_names_and_sequences_that_are_missing(clips: Path, tmp_path: Path) -> None:
    folder = theirs(clips, tmp_path / "published", names=("two",))
    chosen = options(clips, tmp_path / "run", most_frames=4)
    run_accuracy(chosen, open_dataset(chosen.dataset), [], [f"a paper={folder}"])
    (scores,) = score_runs(open_runs([tmp_path / "run"]))
    assert scores.entrant.name == "a paper"
    assert [s.sequence.name for s in scores.sequences] == ["two"]
    assert len(scores.sequences[0].tracks[0].boxes) == 4


def test_results_of_something_else(clips: Path, tmp_path: Path) -> None:
    folder = theirs(clips, tmp_path / "published")
    dataset = open_dataset(f"folders:{clips}")
    (folder / "one.txt").write_text((folder / "two.txt").read_text())
    with pytest.raises(BenchmarkError, match="is it the result of another sequence"):
        run_accuracy(options(clips, tmp_path / "run"), dataset, [], [str(folder)])
    with pytest.raises(BenchmarkError, match="there are no results at"):
        run_accuracy(options(clips, tmp_path / "run"), dataset, [], [str(tmp_path / "nowhere")])
    with pytest.raises(BenchmarkError, match="is no name for an entrant"):
        run_accuracy(options(clips, tmp_path / "run"), dataset, [], [f"a/b={folder}"])
    with pytest.raises(BenchmarkError, match="score them without --restart-every and --jitter"):
        run_accuracy(options(clips, tmp_path / "run", starts=StartPlan(seeds=(1,))), dataset, [], [str(folder)])
    assert not (tmp_path / "run").exists()


def test_what_is_submitted_scores_the_same(clips: Path, tmp_path: Path) -> None:
    shifts = {("ours", "one"): 3.0, ("ours", "two"): 5.0}
    run = write_run(tmp_path / "run", [entrant_record("ours")], shifts, sequences=("one", "two"))
    assert write_submission(open_runs([run]), None, None, tmp_path / "files") == 2
    lines = (tmp_path / "files" / "two.txt").read_text().splitlines()
    assert lines[:2] == ["10.0000,20.0000,20.0000,20.0000", "16.0000,20.0000,20.0000,20.0000"]
    assert (tmp_path / "files" / "two_time.txt").read_text().splitlines() == ["0.01000000"] * 10
    assert write_submission(open_runs([run]), "ours", ResultFormat.GOT10K, tmp_path / "server.zip") == 2
    assert (tmp_path / "server.zip").stat().st_size > 0


def test_what_cannot_be_submitted(tmp_path: Path) -> None:
    ours, other = entrant_record("ours"), entrant_record("other")
    run = write_run(tmp_path / "a", [ours, other], {("ours", "one"): 0.0})
    with pytest.raises(BenchmarkError, match="say whose results with --entrant: ours, other"):
        write_submission(open_runs([run]), None, None, tmp_path / "files")
    with pytest.raises(BenchmarkError, match="ours has not finished 2 of 3 sequences: two, three"):
        write_submission(open_runs([run]), "ours", None, tmp_path / "files")
    again = write_run(tmp_path / "b", [ours], {}, starts=StartPlan(restart_every=4))
    with pytest.raises(BenchmarkError, match="put on the truth again and again"):
        write_submission(open_runs([again]), None, None, tmp_path / "files")
    assert not (tmp_path / "files").exists()


def test_what_no_server_takes(tmp_path: Path) -> None:
    cut = write_run(tmp_path / "cut", [entrant_record("ours")], {("ours", "one"): 0.0}, most_frames=10)
    with pytest.raises(BenchmarkError, match="cut with --frames 10"):
        write_submission(open_runs([cut]), None, None, tmp_path / "files")
    run = write_run(tmp_path / "run", [entrant_record("ours")], {("ours", "one"): 0.0}, sequences=("one",))
    with pytest.raises(BenchmarkError, match=r"s\.zip is named as a zip file$"):
        write_submission(open_runs([run]), None, None, tmp_path / "s.zip")
    starts = StartPlan(anchored=True)
    anchored = write_run(tmp_path / "a", [entrant_record("ours")], {}, sequences=("one",), starts=starts)
    with pytest.raises(BenchmarkError, match="the toolkit of VOT takes a folder of files"):
        write_submission(open_runs([anchored]), None, None, tmp_path / "s.zip")
    assert not (tmp_path / "s.zip").exists()
    assert not (tmp_path / "files").exists()
