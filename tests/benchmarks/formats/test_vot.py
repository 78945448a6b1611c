from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.formats import read_vot_runs, write_vot_runs
from ostrack_edge.benchmarks.metrics import Anchor, AnchoredRun, place_anchors
from ostrack_edge.runtime.errors import BenchmarkError

TRUTH = np.random.default_rng(0).uniform(5, 50, (60, 4)).round(2)
ANCHORS = place_anchors(TRUTH, np.zeros(60, bool))


def runs() -> list[AnchoredRun]:
    return [AnchoredRun(anchor, TRUTH[anchor.order(60)]) for anchor in ANCHORS]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    seconds = [np.full(len(run.boxes), 0.25) for run in runs()]
    write_vot_runs(tmp_path, "walk", runs(), seconds)
    names = sorted(p.name for p in (tmp_path / "walk").iterdir())
    assert names[:2] == ["walk_00000000.txt", "walk_00000000_time.value"]
    lines = (tmp_path / "walk" / "walk_00000050.txt").read_text().splitlines()
    assert lines[0] == "1"
    assert lines[1] == ",".join(f"{v:.4f}" for v in TRUTH[49])
    assert (tmp_path / "walk" / "walk_00000050_time.value").read_text() == "0.25000000\n" * 51
    found = read_vot_runs(tmp_path, "walk", TRUTH, ANCHORS)
    assert [run.anchor for run in found] == list(ANCHORS)
    for one, other in zip(found, runs(), strict=True):
        assert one.boxes == pytest.approx(other.boxes)


def test_runs_that_are_missing_or_of_another_sequence(tmp_path: Path) -> None:
    write_vot_runs(tmp_path, "walk", runs()[:1])
    with pytest.raises(BenchmarkError, match=r"walk has no run from frame 50: looked for .*walk_00000050\.txt$"):
        read_vot_runs(tmp_path, "walk", TRUTH, ANCHORS)
    (tmp_path / "walk" / "walk_00000050.bin").write_bytes(b"")
    with pytest.raises(BenchmarkError, match="VOT_RESULTS_BINARY=false"):
        read_vot_runs(tmp_path, "walk", TRUTH, ANCHORS)
    with pytest.raises(BenchmarkError, match="has 60 boxes, and there are 59 frames from there"):
        read_vot_runs(tmp_path, "walk", TRUTH[:59], ANCHORS[:1])


def test_what_the_toolkit_has_no_place_for(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="two runs from the same frame"):
        write_vot_runs(tmp_path, "walk", [AnchoredRun(Anchor(0), TRUTH), AnchoredRun(Anchor(0, True), TRUTH[:1])])
    broken = TRUTH.copy()
    broken[7] = np.nan
    with pytest.raises(BenchmarkError, match="the run from frame 0 has a frame without a box"):
        write_vot_runs(tmp_path, "walk", [AnchoredRun(Anchor(0), broken)])
    assert list(tmp_path.iterdir()) == []
