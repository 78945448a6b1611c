"""The loop: one target through footage, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np

from ..datasets.footage import Footage
from ..runtime.geometry import Box
from ..runtime.tracker import Tracker


class Step(NamedTuple):
    """One frame, tracked. number: from 0; score and update_ms are None in the first frame, whose box was given."""

    number: int
    box: Box
    score: float | None = None
    update_ms: float | None = None


class Track(NamedTuple):
    """Every step of a run; seconds: from the first frame read to the last one handed on."""

    steps: tuple[Step, ...]
    seconds: float

    @property
    def boxes(self) -> list[Box]:
        return [step.box for step in self.steps]


Watcher: TypeAlias = Callable[[np.ndarray, Step], None]
"""Called with every frame after it was tracked; it may draw into the frame."""


def follow(tracker: Tracker, footage: Footage, init: Box, watchers: Sequence[Watcher] = ()) -> Track:
    """Track the target at `init`, a box in the first frame, through all of `footage`.

    Raises what the footage and the tracker raise.
    """
    steps: list[Step] = []
    began = perf_counter()
    for number, frame in enumerate(footage):
        if number == 0:
            tracker.init(frame, init)
            step = Step(0, init)
        else:
            asked = perf_counter()
            result = tracker.update(frame)
            step = Step(number, result.box, result.score, (perf_counter() - asked) * 1e3)
        steps.append(step)
        for watch in watchers:
            watch(frame, step)
    return Track(tuple(steps), perf_counter() - began)
