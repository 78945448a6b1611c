from __future__ import annotations

import pytest
from ostrack_edge.benchmarks.fps.protocol import Loaded, Turn
from ostrack_edge.benchmarks.fps.report import make_row
from ostrack_edge.benchmarks.fps.stats import ratio_by_round, stage_times, summarise_sustained

LOADED = Loaded(1500.0, 20.0, {"device": "cpu"})


def test_percentiles_interpolate_between_frames() -> None:
    times = stage_times("crop", [float(ms) for ms in range(101)])
    assert (times.median_ms, times.p90_ms, times.p99_ms) == (50.0, 90.0, 99.0)
    assert stage_times("crop", [1.0, 3.0]).median_ms == 2.0
    assert stage_times("crop", [4.0]).p99_ms == 4.0


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine is three times slower in the last round; the ratio of the two does not move.
    assert ratio_by_round([20.0, 22.0, 60.0], [10.0, 11.0, 30.0]) == 2.0
    assert ratio_by_round([10.0, 20.0, 30.0], [10.0, 10.0, 10.0]) == 2.0


def test_rounds_of_unequal_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ratio_by_round([1.0, 2.0], [1.0])


def test_a_rows_figures() -> None:
    turns = [
        Turn((10.0, 12.0, 14.0), {"crop": (1.0, 1.0, 1.0), "inference": (9.0, 11.0, 13.0)}, 100),
        Turn((20.0, 22.0, 24.0), {"crop": (2.0, 2.0, 2.0), "inference": (18.0, 20.0, 22.0)}, 200),
    ]
    row = make_row("engine", LOADED, turns, None, reference_ms=[24.0, 66.0], floor_ms=[6.0, 11.0])
    assert row.round_median_ms == (12.0, 22.0)
    assert row.whole.median_ms == 17.0
    assert row.frames_per_second == pytest.approx(1000 / 17)
    assert row.ratio_to_pytorch == 2.5
    assert row.ratio_to_floor == 2.0
    assert [s.stage for s in row.stages] == ["crop", "inference", "whole frame"]
    assert (row.frames, row.peak_bytes) == (6, 200)


def test_without_a_reference_there_is_no_ratio() -> None:
    row = make_row("engine", LOADED, [Turn((10.0,), {}, 1)], None, None, None)
    assert row.ratio_to_pytorch is None
    assert row.ratio_to_floor is None


def test_a_sustained_run_compares_its_ends() -> None:
    run = summarise_sustained([40.0, 40.0, 30.0, 30.0, 25.0, 25.0, 20.0, 20.0, 20.0, 20.0])
    assert (run.first, run.last, run.last_to_first) == (40.0, 20.0, 0.5)
    # 30 frames/s for one second and 60 for another are 90 frames in two seconds only where both last a second.
    assert summarise_sustained([30.0] * 5 + [60.0, 30.0, 30.0, 60.0, 30.0]).last == pytest.approx(40.0)
    assert summarise_sustained([12.0]).last_to_first == 1.0
