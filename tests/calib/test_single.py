"""Engines of a fixed batch, for one target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ostrack_edge.calib.single import one_at_a_time
from ostrack_edge.runtime.tracker import Tracker


def test_a_batch_of_four_follows_as_one_does(engine: Callable[..., Any], footage: Callable[..., Any]) -> None:
    sequence, boxes = footage(count=5), []
    for batch in (1, 4):
        tracker = Tracker(one_at_a_time(engine(batch=batch)))
        tracker.init(sequence.frames[0], sequence.first_box)
        boxes.append([tracker.update(frame).box for frame in list(sequence.frames)[1:]])
    np.testing.assert_array_equal(*boxes)


def test_an_engine_that_takes_one_is_left_alone(engine: Callable[..., Any]) -> None:
    for batch in (None, 1):
        assert one_at_a_time(found := engine(batch=batch)) is found
