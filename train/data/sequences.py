"""Pairs from sequences: two frames of one target, the later one searched for what the earlier one shows."""

from __future__ import annotations

from copy import copy

import numpy as np

from ...datasets.sequence import Dataset, Sequence
from ...runtime.errors import InputError
from ...runtime.geometry import MAX_COORDINATE, Box
from .sources import Pair, View

MAX_GAP = 200
"""Frames between template and search at most, as published."""

GAP_STEP = 5
"""Frames by which that is widened where the target is not seen again so soon, as published."""

MIN_USABLE = 5
"""Frames with a visible target that a sequence must have. The published training wants more than four, in sequences of
20 frames and more; the length is not asked for here, so that short clips of one's own can be used."""

MIN_SIDE = 2.0
"""Pixels that a box must have in width and height. The published training takes any box with an area, and throws a pair
away where its crop would be less than a pixel wide."""


class SequenceSource:
    """Pairs from the sequences of a data set, each sequence as often as any other.

    dataset: as `datasets.open_dataset` gives it. max_gap: frames between template and search at most. min_side: pixels,
    frames whose box is less wide or high are not drawn; nor are those whose target is absent or not annotated.
    `notes` says in sentences what is left out, those of the data set first.

    Frames are opened for each draw anew, so that it makes no difference how many processes draw, before or after a
    fork. For images that costs nothing; a video is decoded from its beginning each time, so unpack those that you train
    on.

    Raises InputError where the data set keeps its truth to itself, where no sequence can be used, and for a gap below
    1.
    """

    def __init__(self, dataset: Dataset, *, max_gap: int = MAX_GAP, min_side: float = MIN_SIDE) -> None:
        if max_gap < 1:
            raise InputError(f"the frames of a pair are at least 1 apart: the largest gap cannot be {max_gap}")
        _refuse_hidden(dataset)
        self._name = f"{dataset.name}:{dataset.root}"
        self._max_gap = max_gap
        usable = [(s, usable_frames(s, min_side)) for s in dataset.sequences]
        self._sequences = tuple((s, frames) for s, frames in usable if len(frames) >= MIN_USABLE)
        self.notes: tuple[str, ...] = dataset.notes
        left_out = [s.name for s, frames in usable if len(frames) < MIN_USABLE]
        if not self._sequences:
            raise InputError(
                f"no sequence of {self._name} has {MIN_USABLE} frames with a visible target, which training needs; "
                "look at its truth, or give other data"
            )
        if left_out:
            self.notes += (
                f"{len(left_out)} of {len(usable)} sequences of {self._name} have fewer than {MIN_USABLE} frames with "
                f"a visible target and are left out: {_some(left_out)}",
            )

    @property
    def name(self) -> str:
        """Layout and folder, got10k:/data/GOT-10k/train."""
        return self._name

    def __len__(self) -> int:
        """How many sequences are drawn from."""
        return len(self._sequences)

    def draw(self, random: np.random.Generator) -> Pair:
        """Two frames of one sequence, the template before the search, no further apart than the gap allows.

        Raises FootageError for a frame that is missing or damaged.
        """
        sequence, usable = self._sequences[random.integers(len(self._sequences))]
        template, search = draw_frames(usable, self._max_gap, random)
        # A copy holds nothing that is open, of a video neither.
        frames = copy(sequence.frames)
        return Pair(*(View(frames[i], _box(sequence, i)) for i in (template, search)))


def usable_frames(sequence: Sequence, min_side: float = MIN_SIDE) -> np.ndarray:
    """The frames that training may show: int32 [N], ascending.

    The target is not flagged as absent, and its box is finite, not beyond any frame, and at least `min_side` pixels
    wide and high.
    """
    truth = sequence.truth
    with np.errstate(invalid="ignore"):
        placed = (np.abs(truth) <= MAX_COORDINATE).all(axis=1)
        seen = (truth[:, 2:] >= min_side).all(axis=1) & (truth[:, 2:] > 0).all(axis=1)
    return np.flatnonzero(placed & seen & ~sequence.absent).astype(np.int32)


def draw_frames(usable: np.ndarray, max_gap: int, random: np.random.Generator) -> tuple[int, int]:
    """Template and search frame, causal as in the published training: int32 [N] of usable frames, N >= 2, to two.

    The template is any usable frame but the last; the search is any of those in the `max_gap` frames after it, which
    become 5 more until there is one.
    """
    at = int(random.integers(len(usable) - 1))
    template = int(usable[at])
    gap = max_gap
    while usable[at + 1] > template + gap:
        gap += GAP_STEP
    end = int(np.searchsorted(usable, template + gap, side="right"))
    return template, int(usable[random.integers(at + 1, end)])


def _box(sequence: Sequence, frame: int) -> Box:
    return Box(*(float(value) for value in sequence.truth[frame]))


def _refuse_hidden(dataset: Dataset) -> None:
    hidden = [s.name for s in dataset.sequences if s.hidden]
    if hidden:
        raise InputError(
            f"{dataset.root} keeps the truth of {_some(hidden)} beyond the first frame to itself, as test sets do: "
            "there is nothing to train on; give the training set, or hold these sequences back"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
