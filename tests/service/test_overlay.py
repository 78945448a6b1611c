import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.service.follow import Step
from ostrack_edge.service.overlay import Overlay

SIZE = (320, 240)


def drawn(*steps: Step, note: str = "") -> np.ndarray:
    overlay = Overlay(SIZE, note)
    frame = np.full((240, 320, 3), 90, np.uint8)
    for step in steps:
        frame[:] = 90
        overlay.draw(frame, step)
    return (frame != 90).any(axis=2)


def test_the_box_is_drawn_where_it_is() -> None:
    changed = drawn(Step(0, Box(100, 60, 80, 40)))[:180]
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert [columns[0], rows[0], columns[-1], rows[-1]] == pytest.approx([100, 60, 180, 100], abs=3)
    assert not changed[70:90, 110:170].any()


def test_the_score_stands_above_the_box_or_inside_it() -> None:
    above = drawn(Step(3, Box(100, 60, 80, 40), score=0.73, update_ms=10.0))
    assert above[35:55, 100:140].any()
    inside = drawn(Step(3, Box(100, 2, 80, 60), score=0.73, update_ms=10.0))
    assert inside[8:30, 110:140].any()


def test_number_speed_and_note_stand_at_the_lower_edge() -> None:
    box = Box(100, 60, 80, 40)
    number = drawn(Step(7, box))[200:].sum()
    speed = drawn(Step(7, box, 0.5, 25.0))[200:].sum()
    note = drawn(Step(7, box, 0.5, 25.0), note="made-up weights")[200:].sum()
    assert 0 < number < speed < note
    assert not drawn(Step(7, box))[110:200].any()


def test_the_speed_is_that_of_recent_updates() -> None:
    box = Box(100, 60, 80, 40)
    slow, quick = Step(1, box, 0.5, 500.0), Step(1, box, 0.5, 5.0)
    # The long update has left the window: the text is that of quick updates alone.
    assert np.array_equal(drawn(slow, *[quick] * 25), drawn(quick))
    assert not np.array_equal(drawn(slow, quick), drawn(quick))


@pytest.mark.parametrize("box", [Box(-50, -50, 20, 20), Box(300, 230, 500, 500), Box(-1e6, 0, 2e6, 10)])
def test_a_box_that_leaves_the_frame_does_no_harm(box: Box) -> None:
    assert drawn(Step(1, box, 0.5, 5.0))[200:].any()
