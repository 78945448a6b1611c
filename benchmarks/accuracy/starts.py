"""Where a tracker is started in a sequence: from the first truth, anew every n frames, from anchors, shaken or not."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ...runtime.errors import BenchmarkError, InputError
from ...runtime.geometry import Box, check_box
from ..metrics import valid
from .store import Truth

SHIFT = 0.1
"""A shaken box moves by at most this share of its width and height, as in OTB's spatial robustness evaluation."""

SCALES = (0.8, 1.2)
"""It grows or shrinks by a factor between these, as there."""


@dataclass(frozen=True)
class StartPlan:
    """`restart_every`: frames after which a tracker is put on the truth again, None for never; `anchored`: VOT's runs
    from anchors, forward or backward, in place of one from the first frame; `seeds`: one run per seed, each from shaken
    boxes, in place of the run from the true ones."""

    restart_every: int | None = None
    anchored: bool = False
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.anchored and self.restart_every is not None:
            raise InputError("runs from anchors go on to the end: leave out --restart-every, or the protocol vot2020")
        if self.restart_every is not None and self.restart_every < 2:
            raise InputError(f"a restart every {self.restart_every} frames leaves nothing to track; give at least 2")
        if any(seed < 0 for seed in self.seeds) or len(set(self.seeds)) < len(self.seeds):
            raise InputError(
                f"the seeds {', '.join(map(str, self.seeds))} must be different whole numbers from 0 upwards"
            )

    @property
    def sentence(self) -> str:
        """One line for people."""
        if self.anchored:
            text = "from every anchor to the farther end of the sequence"
        elif self.restart_every is None:
            text = "one initialisation from the first truth"
        else:
            text = f"put on the truth again every {self.restart_every} frames (those frames are not scored)"
        if self.seeds:
            text += (
                f", shaken by up to {SHIFT:.0%} of its size and {SCALES[0]:g}..{SCALES[1]:g} times as large, "
                f"seeds {', '.join(map(str, self.seeds))}"
            )
        return text


@dataclass(frozen=True)
class Start:
    """Frames `first` to before `end` (from 0), or where `backward`, `first` down to 0; from `box` in frame `first`.

    `seed` is None for a true box.
    """

    first: int
    end: int
    box: Box
    seed: int | None = None
    backward: bool = False

    @property
    def order(self) -> range:
        """The frames in the order in which the tracker sees them."""
        return range(self.first, -1, -1) if self.backward else range(self.first, self.end)

    @property
    def suffix(self) -> str:
        """What tells its result file from the others of the sequence; empty for a plain start in frame 0."""
        at = f"__back{self.first}" if self.backward else f"__at{self.first}" if self.first else ""
        return at + ("" if self.seed is None else f"__seed{self.seed}")


def plan_starts(name: str, truth: Truth, frames: int, plan: StartPlan) -> list[Start]:
    """The starts of one sequence of `frames` frames, in order of seed and frame.

    A restart that falls on a frame without a usable box waits for the next one that has it. Raises BenchmarkError where
    the first frame has none, or where restarts or anchors are wanted and the truth is hidden.
    """
    if not len(truth.boxes) or not valid(truth.boxes)[0]:
        raise BenchmarkError(f"{name}: the first frame has no box to start from; leave the sequence out with --skip")
    if len(truth.boxes) < frames and (plan.anchored or plan.restart_every is not None):
        raise BenchmarkError(f"{name}: its truth is hidden after frame 0; start trackers there alone")
    spans = _anchors(truth, frames) if plan.anchored else _restarts(truth, frames, plan.restart_every)
    seeds: tuple[int | None, ...] = plan.seeds or (None,)
    found = []
    for seed in seeds:
        for first, end, backward in spans:
            box = check_box(truth.boxes[first].tolist(), f"the true box of {name}, frame {first}")
            start = box if seed is None else shake(box, seed, name, first)
            found.append(Start(first, end, start, seed, backward))
    return found


def _anchors(truth: Truth, frames: int) -> list[tuple[int, int, bool]]:
    return [
        (int(frame), frames, bool(truth.anchors[frame] < 0))
        for frame in np.flatnonzero(truth.anchors)
        if frame < frames
    ]


def _restarts(truth: Truth, frames: int, every: int | None) -> list[tuple[int, int, bool]]:
    usable = valid(truth.boxes) & ~truth.absent
    firsts = [0]
    for wanted in range(every, frames, every) if every else ():
        later = np.flatnonzero(usable[wanted:])
        if later.size and wanted + int(later[0]) > firsts[-1]:
            firsts.append(wanted + int(later[0]))
    return [(first, end, False) for first, end in zip(firsts, [*firsts[1:], frames], strict=True)]


def shake(box: Box, seed: int, name: str, frame: int) -> Box:
    """The box moved and resized at random; the same for the same seed, sequence and frame on every machine."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), frame])
    dx, dy = rng.uniform(-SHIFT, SHIFT, 2).tolist()
    scale = float(rng.uniform(*SCALES))
    width, height = scale * box.width, scale * box.height
    cx, cy = box.x + (0.5 + dx) * box.width, box.y + (0.5 + dy) * box.height
    return Box(cx - 0.5 * width, cy - 0.5 * height, width, height)
