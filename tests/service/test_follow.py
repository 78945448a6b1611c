from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import Box, Tracker
from ostrack_edge.datasets import open_footage
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.service.follow import Step, follow

SQUARE = Box(40, 30, 24, 24)


def test_every_frame_is_a_step(middle_tracker: Tracker, clip: Path) -> None:
    with open_footage(clip) as footage:
        track = follow(middle_tracker, footage, SQUARE)
    assert [step.number for step in track.steps] == list(range(12))
    assert track.steps[0] == Step(0, SQUARE)
    for step in track.steps[1:]:
        assert step.score == 0.5
        assert step.update_ms is not None
        assert step.update_ms > 0
    assert np.allclose(np.array(track.boxes), SQUARE, atol=1e-3)
    assert track.seconds * 1e3 >= sum(step.update_ms or 0 for step in track.steps)


def test_each_search_begins_at_the_box_before(drifting_tracker: Tracker, clip: Path) -> None:
    # A tenth of a search region of 4 x 24 pixels is 9.6.
    with open_footage(clip) as footage:
        track = follow(drifting_tracker, footage, SQUARE)
    assert [box.x for box in track.boxes] == pytest.approx([40 + 9.6 * i for i in range(12)], abs=0.01)


def test_watchers_see_every_frame_in_turn_and_may_draw(middle_tracker: Tracker, clip: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def draw(frame: np.ndarray, step: Step) -> None:
        frame[:] = step.number
        seen.append(("draw", step.number, int(frame[0, 0, 0])))

    def keep(frame: np.ndarray, step: Step) -> None:
        seen.append(("keep", step.number, int(frame[0, 0, 0])))

    with open_footage(clip) as footage:
        follow(middle_tracker, footage, SQUARE, [draw, keep])
    assert seen == [(name, i, i) for i in range(12) for name in ("draw", "keep")]


def test_a_box_outside_the_first_frame_is_refused(middle_tracker: Tracker, clip: Path) -> None:
    with open_footage(clip) as footage, pytest.raises(InputError, match="outside the frame of 160 x 120"):
        follow(middle_tracker, footage, Box(200, 30, 24, 24))
