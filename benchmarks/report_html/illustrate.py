"""Pictures of a run's best and worst moments, cut from its footage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...datasets.registry import open_dataset
from ...datasets.sequence import Dataset
from ...datasets.sequence import Sequence as Annotated
from ...runtime.errors import FootageError, InputError
from ..accuracy.merge import Runs
from ..accuracy.scores import EntrantScores
from ..accuracy.store import Truth
from ..metrics import AnchoredRun, iou, valid
from .content import Moment
from .moments import Choice, choose_moments
from .pictures import draw_moment, encode_jpeg

Boxes = Mapping[str, Mapping[str, np.ndarray]]
"""By entrant, then by sequence: float64 [N, 4] by frame, NaN where the entrant gave no box."""


def illustrate(runs: Runs, shown: Sequence[EntrantScores], each: int, places: Mapping[str, int]) -> tuple[Moment, ...]:
    """`each` best and worst moments of every entrant; `places` settles the colours by name.

    Entrants with made-up weights are left out, unless there are no others. Raises FootageError where the
    footage is gone or is not the one that was run.
    """
    # Boxes of noise would hide what a picture is about, and draw its view out to the whole frame.
    drawn = [scores for scores in shown if scores.entrant.trained] or shown
    boxes = {
        scores.entrant.name: {
            s.sequence.name: by_frame(s.tracks[0].boxes, s.tracks[0].runs, s.sequence.frames) for s in scores.sequences
        }
        for scores in drawn
    }
    truths = {s.name: runs.truth(s.name) for s in runs.sequences}
    overlaps = {
        name: {
            sequence: overlaps_by_frame(rows, truths[sequence])
            for sequence, rows in held.items()
            if len(rows) == len(truths[sequence].boxes)
        }
        for name, held in boxes.items()
    }
    choices = choose_moments(overlaps, each)
    if not choices:
        return ()
    names = {choice.sequence for choice in choices}
    footage = {s.name: s for s in _open(runs.records[0].dataset.spec, names).sequences}
    # In the order of the footage: a video goes back only by decoding it again from its beginning.
    order = sorted(range(len(choices)), key=lambda i: (choices[i].sequence, choices[i].frame))
    pictures = {i: _draw(choices[i], footage, truths, boxes, places) for i in order}
    return tuple(pictures[i] for i in range(len(choices)))


def by_frame(boxes: np.ndarray, runs: Sequence[AnchoredRun], frames: int) -> np.ndarray:
    """float64 [frames, 4]: the boxes in the order of the frames, NaN where there is none.

    boxes: float64 [frames, 4] where there are no `runs`. The first of these is taken: a run from an anchor sees only
    part of the frames, and may see them backwards.
    """
    if not runs:
        return boxes
    placed = np.full((frames, 4), np.nan)
    placed[runs[0].anchor.order(frames)] = runs[0].boxes
    return placed


def overlaps_by_frame(boxes: np.ndarray, truth: Truth) -> np.ndarray:
    """float64 [N]: IoU of boxes [N, 4] with the truth, NaN where target or box is absent."""
    seen = valid(truth.boxes) & ~truth.absent & np.isfinite(boxes).all(axis=1)
    overlaps = np.full(len(boxes), np.nan)
    overlaps[seen] = iou(boxes[seen], truth.boxes[seen])
    return overlaps


def _open(spec: str, names: Iterable[str]) -> Dataset:
    try:
        # A sequence that the run left out may be damaged.
        return open_dataset(spec, only=names)
    except (FootageError, InputError) as error:
        raise FootageError(
            f"the report's pictures need the footage: {error}; or leave them out: --pictures 0"
        ) from None


def _draw(
    choice: Choice,
    footage: Mapping[str, Annotated],
    truths: Mapping[str, Truth],
    boxes: Boxes,
    places: Mapping[str, int],
) -> Moment:
    sequence = footage.get(choice.sequence)
    if sequence is None or len(sequence) <= choice.frame:
        raise FootageError(
            f"the data set has no frame {choice.frame} of {choice.sequence}, which the run followed; put the footage "
            "back, or leave the pictures out with --pictures 0"
        )
    truth = truths[choice.sequence]
    if not np.array_equal(sequence.truth[: len(truth.boxes)], truth.boxes, equal_nan=True):
        raise FootageError(
            f"{choice.sequence} has another truth than in the run: it is other footage; put the right one back, or "
            "leave the pictures out with --pictures 0"
        )
    here = {name: held[choice.sequence][choice.frame] for name, held in boxes.items() if choice.sequence in held}
    here = {name: box for name, box in here.items() if np.isfinite(box).all()}
    true = truth.boxes[choice.frame]
    picture = draw_moment(sequence.frames[choice.frame], true, {places[name]: box for name, box in here.items()})
    overlaps = {name: float(iou(box[None], true[None])[0]) for name, box in here.items()}
    height, width = picture.shape[:2]
    return Moment(choice.title, choice.sequence, choice.frame, overlaps, encode_jpeg(picture), width, height)
