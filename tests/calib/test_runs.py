"""Where tracking starts, and what is followed from there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from ostrack_edge.calib.runs import SEGMENT, plan_runs, visible_box
from ostrack_edge.datasets.sequence import Sequence

Maker = Callable[..., Sequence]


def with_box(sequence: Sequence, number: int, box: tuple[float, ...]) -> Sequence:
    truth = sequence.truth.copy()
    truth[number] = box
    return dataclasses.replace(sequence, truth=truth)


def test_the_first_runs_are_enough_and_spread_evenly(footage: Maker) -> None:
    sequence = footage(count=200)
    runs = plan_runs(sequence, range(200), 40)
    enough = runs[: 40 // SEGMENT]
    assert [run.start for run in enough] == [0, 40, 80, 120, 160]
    assert [len(run.frames) for run in enough] == [SEGMENT] * 5
    assert enough[1].frames == range(41, 41 + 3 * SEGMENT, 3)
    assert enough[1].box == pytest.approx(sequence.truth[40].tolist())
    # Should a tracker lose its target each time, there is a start on every frame.
    assert sorted(run.start for run in runs) == list(range(200))


def test_runs_stay_within_their_frames(footage: Maker) -> None:
    for run in plan_runs(footage(count=50), range(40, 50), 100):
        assert 40 <= run.start < 50
        assert set(run.frames) <= set(range(41, 50))


def test_one_known_box_gives_one_run_from_the_beginning(footage: Maker) -> None:
    sequence = footage(count=100, known=False)
    (run,) = plan_runs(sequence, range(80, 100), 5)
    assert (run.start, run.box) == (0, sequence.first_box)
    assert run.frames == range(1, 100)
    assert list(run.wanted) == [80, 84, 88, 92, 96]
    (run,) = plan_runs(sequence, range(80), 1000)
    assert run.wanted == range(1, 80)


@pytest.mark.parametrize("box", [(np.nan,) * 4, (20, 20, 0, 30), (20, 20, 30, 0.5), (-40, 20, 30, 30), (20, 180, 9, 9)])
def test_no_run_starts_where_there_is_no_box_in_the_frame(footage: Maker, box: tuple[float, ...]) -> None:
    sequence = with_box(footage(count=20), 3, box)
    assert {run.start for run in plan_runs(sequence, range(20), 20)} == set(range(20)) - {3}


def test_no_run_starts_on_an_absent_target(footage: Maker) -> None:
    sequence = footage(count=20, absent=(4, 5))
    assert {run.start for run in plan_runs(sequence, range(20), 20)} == set(range(20)) - {4, 5}
    assert visible_box(sequence, 4) is None
    assert visible_box(sequence, 6) == pytest.approx(sequence.truth[6].tolist())
    assert visible_box(footage(known=False), 1) is None
