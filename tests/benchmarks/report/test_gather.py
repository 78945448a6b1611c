"""What a report says of run folders whose figures are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge.benchmarks.accuracy.record import EntrantKind, read_record, write_record
from ostrack_edge.benchmarks.accuracy.starts import StartPlan
from ostrack_edge.benchmarks.metrics import Anchor, AnchoredRun
from ostrack_edge.benchmarks.report_html.content import Content, DatasetPart
from ostrack_edge.benchmarks.report_html.gather import gather
from ostrack_edge.benchmarks.report_html.illustrate import by_frame
from ostrack_edge.runtime.errors import BenchmarkError, FootageError, InputError

from .runs import FRAMES, MS, NAMES, add_result, entrant, make_footage, make_run, rename_dataset

SHIFTS = {"bay": 0.1, "pier": 0.3, "quay": 0.55}


def success_auc(shift: float) -> float:
    """Of FRAMES frames with the IoU of boxes moved by `shift`, the first with the truth itself."""
    moved = (1 - shift) / (1 + shift)
    passed = [sum(overlap > i / 20 for i in range(21)) / 21 for overlap in (1.0, moved)]
    return (passed[0] + (FRAMES - 1) * passed[1]) / FRAMES


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    make_footage(tmp_path / "footage")
    return tmp_path / "footage"


@pytest.fixture
def run(tmp_path: Path, footage: Path) -> Path:
    """A bundle that is good, a peer that lost one target for four frames, and the reference, as good as the bundle."""
    names = (entrant("bundle"), entrant("peer", EntrantKind.PEER), entrant("torch", EntrantKind.PYTORCH))
    run = make_run(tmp_path / "run", footage, *names)
    for name, shift in SHIFTS.items():
        add_result(run, footage, "bundle", name, shift)
        add_result(run, footage, "torch", name, shift)
        add_result(run, footage, "peer", name, shift + 0.05, range(5, 9) if name == "quay" else range(0))
    return run


def only(content: Content) -> DatasetPart:
    (part,) = content.datasets
    return part


def test_figures_are_the_metrics_own(run: Path) -> None:
    part = only(gather([run], [], 0, "A title"))
    assert (part.name, part.protocol, part.headline, part.row_figure) == (
        "folders: footage",
        "otb",
        *["success_auc"] * 2,
    )
    assert (part.sequences, part.compared, part.frames) == (3, 3, 3 * FRAMES)
    assert [e.name for e in part.entrants] == ["bundle", "peer", "torch"]
    expected = {name: success_auc(shift) for name, shift in SHIFTS.items()}
    assert [row.values["bundle"] for row in part.rows] == pytest.approx([expected[row.name] for row in part.rows])
    assert part.entrants[0].figures["success_auc"] == pytest.approx(np.mean(list(expected.values())))
    success = part.entrants[0].curves["success"]
    assert success.x == tuple(i / 20 for i in range(21))
    assert np.mean(success.y) == pytest.approx(part.entrants[0].figures["success_auc"])
    assert part.notes == ()


def test_times_are_those_of_updates(run: Path) -> None:
    latency = only(gather([run], [], 0, "")).entrants[0].latency
    assert latency is not None
    assert latency.frames == 3 * (FRAMES - 1)
    assert latency.median_ms == pytest.approx(MS)
    assert latency.worst_ms == pytest.approx(5 * MS)
    updates = FRAMES - 1
    assert latency.frames_per_second == pytest.approx(1e3 * updates / (MS * (updates + 4)))
    assert latency.quantiles_ms[0] == pytest.approx(MS)
    assert latency.quantiles_ms[-1] == pytest.approx(5 * MS)


def test_differences_are_to_the_reference(run: Path) -> None:
    differences = only(gather([run], [], 0, "")).differences
    assert {d.baseline for d in differences} == {"torch"}
    assert [(d.entrant, d.over) for d in differences] == [
        (name, over) for name in ("bundle", "peer") for over in ("sequences", "frames")
    ]
    same, worse = differences[:2], differences[2:]
    assert all((d.value, d.low, d.high, d.found) == (0, 0, 0, False) for d in same)
    assert all(d.value < 0 and d.low <= d.value <= d.high for d in worse)


def test_without_a_reference_they_are_to_the_first(tmp_path: Path, footage: Path) -> None:
    run = make_run(tmp_path / "run", footage, entrant("one"), entrant("other"))
    add_result(run, footage, "one", "bay", 0.1)
    add_result(run, footage, "other", "bay", 0.5)
    (difference,) = only(gather([run], [], 0, "")).differences
    assert (difference.entrant, difference.baseline, difference.over) == ("other", "one", "frames")
    assert difference.found, "every frame is worse"


def test_entrants_are_compared_on_what_all_finished(tmp_path: Path, footage: Path) -> None:
    run = make_run(tmp_path / "run", footage, entrant("whole"), entrant("part"), entrant("none"))
    for name, shift in SHIFTS.items():
        add_result(run, footage, "whole", name, shift)
    add_result(run, footage, "part", "pier", 0.0)
    part = only(gather([run], [], 0, ""))
    assert part.compared == 1
    assert [(e.name, e.sequences) for e in part.entrants] == [("whole", 3), ("part", 1)]
    assert part.entrants[0].figures["success_auc"] == pytest.approx(success_auc(SHIFTS["pier"]))
    assert part.notes == ("No sequence is finished by: none. The same command does the rest.",)
    assert [set(row.values) for row in part.rows] == [{"whole"}, {"whole", "part"}, {"whole"}]


def test_nothing_in_common_is_said(tmp_path: Path, footage: Path) -> None:
    run = make_run(tmp_path / "run", footage, entrant("one"), entrant("other"))
    add_result(run, footage, "one", "bay", 0.1)
    add_result(run, footage, "other", "pier", 0.1)
    part = only(gather([run], [], 0, ""))
    assert (part.compared, part.differences) == (0, ())
    assert part.notes == ("No sequence was finished by every entrant: each row is over other sequences.",)
    assert all(e.figures["success_auc"] == pytest.approx(success_auc(0.1)) for e in part.entrants)


def test_runs_of_several_folders_are_one(tmp_path: Path, footage: Path, run: Path) -> None:
    more = make_run(tmp_path / "more", footage, entrant("late"))
    for name in NAMES:
        add_result(more, footage, "late", name, 0.2)
    content = gather([run, more], [], 0, "")
    assert [e.name for e in only(content).entrants] == ["bundle", "peer", "torch", "late"]
    assert [r.folder for r in content.runs] == [str(run), str(more)]
    assert content.runs[1].command == f"ostrack-bench accuracy --out {more}"
    assert content.runs[0].options["processes"] == "1 with 2 CPU threads each"


def test_one_data_set_run_in_two_ways(tmp_path: Path, footage: Path, run: Path) -> None:
    other = make_run(tmp_path / "other", footage, entrant("bundle"))
    record = read_record(other)
    write_record(other, replace(record, starts=StartPlan(restart_every=6)))
    content = gather([run, other], [], 0, "")
    assert [part.name for part in content.datasets] == ["folders: footage (1)", "folders: footage (2)"]
    assert content.datasets[0].starts == "one initialisation from the first truth"
    assert "every 6 frames" in content.datasets[1].starts
    assert content.datasets[1].notes == ("No sequence is finished by: bundle. The same command does the rest.",)


def test_runs_backwards_from_an_anchor_are_put_in_order() -> None:
    boxes = np.arange(12.0).reshape(3, 4)
    runs = (AnchoredRun(Anchor(2, backward=True), boxes), AnchoredRun(Anchor(0), np.zeros((5, 4))))
    found = by_frame(boxes, runs, 5)
    np.testing.assert_array_equal(found[:3], boxes[::-1])
    assert np.isnan(found[3:]).all()


def test_pictures_show_the_worst_and_the_best(run: Path) -> None:
    moments = only(gather([run], [], 1, "")).moments
    by_title = {moment.title: moment for moment in moments}
    lost = by_title["peer at its worst (IoU 0.1 or less for 4 frames)"]
    assert (lost.sequence, lost.frame) == ("quay", 7)
    assert lost.overlaps["peer"] == 0
    assert lost.overlaps["bundle"] == pytest.approx((1 - 0.55) / (1 + 0.55), abs=1e-3)
    best = next(moment for title, moment in by_title.items() if title.startswith("bundle at its best"))
    assert best.sequence == "bay"
    assert best.frame >= FRAMES // 2
    for moment in moments:
        picture = cv2.imdecode(np.frombuffer(moment.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (moment.height, moment.width, 3)


def test_made_up_weights_are_named_and_not_drawn(tmp_path: Path, footage: Path) -> None:
    run = make_run(tmp_path / "run", footage, entrant("real"), entrant("noise", trained=False))
    for name in NAMES:
        add_result(run, footage, "real", name, 0.1)
        add_result(run, footage, "noise", name, 0.9)
    content = gather([run], [], 1, "")
    assert content.untrained == ("noise",)
    assert {moment.title.split()[0] for moment in only(content).moments} == {"real"}
    assert all(set(moment.overlaps) == {"real"} for moment in only(content).moments)


def test_made_up_weights_alone_are_drawn(tmp_path: Path, footage: Path) -> None:
    run = make_run(tmp_path / "run", footage, entrant("noise", trained=False))
    add_result(run, footage, "noise", "bay", 0.9)
    (moment,) = only(gather([run], [], 1, "")).moments
    assert moment.title == "noise at its worst (IoU 0.1 or less for 11 frames)"


def test_lost_footage_is_told_and_can_be_done_without(run: Path, tmp_path: Path) -> None:
    rename_dataset(run, f"folders:{tmp_path / 'gone'}")
    with pytest.raises(FootageError, match=r"gone does not exist.*--pictures 0$"):
        gather([run], [], 1, "")
    assert only(gather([run], [], 0, "")).moments == ()


def test_what_the_run_left_out_may_be_damaged(run: Path, footage: Path) -> None:
    (footage / "other" / "img").mkdir(parents=True)
    (footage / "other" / "groundtruth.txt").write_text("nan,nan,nan,nan\n")
    assert only(gather([run], [], 1, "")).moments


def test_footage_that_shrank_is_told(run: Path, footage: Path) -> None:
    lines = (footage / "quay" / "groundtruth.txt").read_text().splitlines()[:5]
    (footage / "quay" / "groundtruth.txt").write_text("\n".join(lines))
    for image in sorted((footage / "quay" / "img").iterdir())[5:]:
        image.unlink()
    with pytest.raises(FootageError, match=r"no frame \d+ of quay, which the run followed"):
        gather([run], [], 1, "")


def test_other_footage_of_the_same_name_is_told(run: Path, footage: Path) -> None:
    moved = (footage / "quay" / "groundtruth.txt").read_text().replace(".", "1.")
    (footage / "quay" / "groundtruth.txt").write_text(moved)
    with pytest.raises(FootageError, match="quay has another truth than in the run"):
        gather([run], [], 1, "")


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"is no run: it holds no run\.json"):
        gather([tmp_path], [], 0, "")
    with pytest.raises(InputError, match="-1 pictures"):
        gather([tmp_path], [], -1, "")


def test_what_is_no_speed_report_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"fps\.json cannot be read: No such file"):
        gather([run], [tmp_path / "fps.json"], 0, "")
    for text in ("{", json.dumps({"rows": []}), "[]"):
        (tmp_path / "fps.json").write_text(text)
        with pytest.raises(BenchmarkError, match=r"fps\.json is no speed report .* make one with: ostrack-bench fps"):
            gather([run], [tmp_path / "fps.json"], 0, "")
