"""Which sequences a run takes, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...runtime.errors import BenchmarkError
from ..metrics import place_anchors
from .starts import StartPlan
from .store import Truth

if TYPE_CHECKING:
    from ...datasets.sequence import Dataset
    from ...datasets.sequence import Sequence as Annotated


@dataclass(frozen=True)
class RunOptions:
    """`dataset`: see `open_dataset`; `protocol`: the name of the metrics; `part`: (2, 4) takes the second of every
    four; `most_frames`: only the first of every sequence; `jobs` processes of `threads` CPU threads each (None: the
    cores shared out)."""

    dataset: str
    protocol: str
    out: Path
    command: str
    starts: StartPlan
    part: tuple[int, int] = (1, 1)
    most_frames: int | None = None
    jobs: int = 1
    threads: int | None = None


def choose_sequences(dataset: Dataset, options: RunOptions) -> list[Annotated]:
    """The run's part of the data set, in its order. Raises BenchmarkError where that is none."""
    number, parts = options.part
    chosen = list(dataset.sequences[number - 1 :: parts])
    if not chosen:
        raise BenchmarkError(f"no sequence of {dataset.root} is left to run; take fewer away")
    return chosen


def frame_count(sequence: Annotated, options: RunOptions) -> int:
    return min(len(sequence.frames), options.most_frames or len(sequence.frames))


def truth_of(sequence: Annotated, options: RunOptions) -> Truth:
    """The truth of the frames that are tracked; one row where it is hidden.

    Where VOT's protocol is asked for and the sequence brings no anchors, or is cut, they are placed as VOT does.
    """
    n = frame_count(sequence, options)
    boxes, absent = np.asarray(sequence.truth[:n], np.float64), np.asarray(sequence.absent[:n], bool)
    anchors = np.zeros(len(boxes), np.int8)
    if options.starts.anchored:
        if sequence.anchors is not None and n == len(sequence.frames):
            anchors = np.asarray(sequence.anchors, np.int8)
        else:
            for anchor in place_anchors(boxes, absent):
                anchors[anchor.frame] = -1 if anchor.backward else 1
    return Truth(boxes, absent, anchors)
