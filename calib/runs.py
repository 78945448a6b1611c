"""Where in a sequence to start tracking for crops, and how far to follow from there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..datasets.sequence import Sequence
from ..runtime.geometry import Box

SEGMENT = 8
"""Frames that are tracked from one start on true boxes; the next start is further on."""

_STRIDE = 3
"""Frames at a time, at most, that such a run goes on by in long footage."""


@dataclass(frozen=True)
class Run:
    """Start on frame `start` with its true box, then track `frames`, of which those in `wanted` are to be cut."""

    start: int
    box: Box
    frames: range
    wanted: range


def plan_runs(sequence: Sequence, frames: range, quota: int) -> list[Run]:
    """Runs that give `quota` crops of these frames, in the order to try them; more than are needed, for a tracker that
    loses its target has to start more often.

    Of footage whose first box alone is known there is one run: it tracks everything before these frames too.
    """
    if sequence.hidden:
        step = max(1, len(frames) // max(1, quota))
        first = max(1, frames.start)
        return [Run(0, sequence.first_box, range(1, frames.stop), range(first, frames.stop, step))]
    usable = [(n, box) for n in frames if (box := visible_box(sequence, n)) and _in_sight(box, sequence.size)]
    stride = max(1, min(_STRIDE, len(usable) // max(1, quota)))
    runs = []
    for n, box in _spread(usable, max(1, math.ceil(quota / SEGMENT))):
        following = range(n + 1, min(frames.stop, n + 1 + SEGMENT * stride), stride)
        runs.append(Run(n, box, following, following))
    return runs


def visible_box(sequence: Sequence, number: int) -> Box | None:
    """The true box on a frame; None where none is known, or the target is not to be seen."""
    if number >= len(sequence.truth) or sequence.absent[number]:
        return None
    row = sequence.truth[number]
    return Box(*row.tolist()) if np.isfinite(row).all() and row[2] >= 1 and row[3] >= 1 else None


def _in_sight(box: Box, size: tuple[int, int]) -> bool:
    return box.x < size[0] and box.y < size[1] and box.x + box.width > 0 and box.y + box.height > 0


def _spread(starts: list[tuple[int, Box]], count: int) -> list[tuple[int, Box]]:
    """The starts in an order of which any beginning is spread evenly: `count` of them, then those halfway between, and
    so on. A tracker that loses its target at once needs many, one that does not only the first few."""
    step, order = max(1, len(starts) // count), []
    while step:
        order += starts[::step]
        step //= 2
    return list(dict.fromkeys(order))
