"""One tracker through one sequence from one start."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Protocol

import numpy as np

from .entrants import Follower
from .starts import Start
from .store import Trajectory


class FrameSource(Protocol):
    """Frames by number: uint8 [H, W, 3], BGR."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


def follow(
    follower: Follower, frames: FrameSource | Sequence[np.ndarray], start: Start, tick: Callable[[int], None]
) -> Trajectory:
    """Start the tracker and take it through the frames of `start`; `tick` hears how many frames are done.

    The clock runs in `init` and `update` alone. Raises what the frames and the tracker raise.
    """
    n = len(start.order)
    boxes, scores, seconds = np.full((n, 4), math.nan), np.full(n, math.nan), np.zeros(n)
    size = (0, 0)
    for i, number in enumerate(start.order):
        frame = frames[number]
        asked = perf_counter()
        if i == 0:
            size = (frame.shape[1], frame.shape[0])
            follower.init(frame, start.box)
            box, score = start.box, math.nan
        else:
            box, score = follower.update(frame)
        seconds[i] = perf_counter() - asked
        boxes[i], scores[i] = box, score
        tick(i + 1)
    return Trajectory(start.first, start.backward, size, boxes, scores, seconds, dict(follower.describe()))
