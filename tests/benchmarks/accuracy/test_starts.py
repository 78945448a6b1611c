from __future__ import annotations

import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.benchmarks.accuracy.starts import SCALES, SHIFT, StartPlan, plan_starts, shake
from ostrack_edge.benchmarks.accuracy.store import Truth
from ostrack_edge.runtime.errors import BenchmarkError, InputError


def truth(frames: int, absent: tuple[int, ...] = (), unknown: tuple[int, ...] = ()) -> Truth:
    boxes = np.array([[float(i), 5.0, 20.0, 10.0] for i in range(frames)])
    boxes[list(unknown)] = np.nan
    flags = np.zeros(frames, bool)
    flags[list(absent)] = True
    return Truth(boxes, flags, np.zeros(frames, np.int8))


def test_one_start_from_the_first_truth() -> None:
    (start,) = plan_starts("a", truth(7), 7, StartPlan())
    assert (start.order, start.box, start.suffix) == (range(7), Box(0, 5, 20, 10), "")


def test_restarts_wait_for_a_usable_box() -> None:
    starts = plan_starts("a", truth(10, absent=(3, 4), unknown=(6,)), 10, StartPlan(restart_every=3))
    assert [(s.first, s.end, s.box.x) for s in starts] == [(0, 5, 0.0), (5, 7, 5.0), (7, 9, 7.0), (9, 10, 9.0)]
    assert [s.suffix for s in starts] == ["", "__at5", "__at7", "__at9"]


def test_a_target_that_never_comes_back_is_not_started_on_again() -> None:
    starts = plan_starts("a", truth(6, absent=(4, 5)), 6, StartPlan(restart_every=4))
    assert [(s.first, s.end) for s in starts] == [(0, 6)]


def test_the_first_box_starts_even_where_it_is_flagged_absent() -> None:
    assert len(plan_starts("a", truth(4, absent=(0,)), 4, StartPlan())) == 1


def test_a_run_per_seed() -> None:
    plan = StartPlan(restart_every=4, seeds=(3, 1))
    starts = plan_starts("a", truth(8), 8, plan)
    assert [s.suffix for s in starts] == ["__seed3", "__at4__seed3", "__seed1", "__at4__seed1"]
    assert len({s.box for s in starts}) == 4
    assert starts == plan_starts("a", truth(8), 8, plan)


def test_shaken_boxes_stay_near() -> None:
    box = Box(100, 50, 40, 20)
    shaken = [shake(box, seed, "name", 0) for seed in range(200)]
    assert shake(box, 1, "name", 0) != shake(box, 1, "other", 0)
    centres = np.array([[b.x + b.width / 2 - 120, b.y + b.height / 2 - 60] for b in shaken]) / [40, 20]
    scales = np.array([b.width / 40 for b in shaken])
    assert np.abs(centres).max() <= SHIFT
    assert np.abs(centres).max() > 0.9 * SHIFT
    assert SCALES[0] <= scales.min() < 0.82
    assert 1.18 < scales.max() <= SCALES[1]
    assert all(b.height / 20 == pytest.approx(b.width / 40) for b in shaken)


def test_anchors_go_both_ways() -> None:
    anchored = Truth(truth(6).boxes, np.zeros(6, bool), np.array([1, 0, 0, 0, -1, 0], np.int8))
    starts = plan_starts("a", anchored, 6, StartPlan(anchored=True))
    assert [list(s.order) for s in starts] == [[0, 1, 2, 3, 4, 5], [4, 3, 2, 1, 0]]
    assert [s.suffix for s in starts] == ["", "__back4"]


def test_what_cannot_be_started() -> None:
    with pytest.raises(BenchmarkError, match="two: the first frame has no box to start from"):
        plan_starts("two", truth(3, unknown=(0,)), 3, StartPlan())
    with pytest.raises(BenchmarkError, match="its truth is hidden after frame 0"):
        plan_starts("two", truth(1), 3, StartPlan(restart_every=2))
    assert plan_starts("two", truth(1), 3, StartPlan())[0].end == 3
    with pytest.raises(InputError, match="leaves nothing to track"):
        StartPlan(restart_every=1)
    with pytest.raises(InputError, match="must be different"):
        StartPlan(seeds=(1, 1))
    with pytest.raises(InputError, match="leave out --restart-every"):
        StartPlan(restart_every=5, anchored=True)
