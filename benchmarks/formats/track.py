"""What one tracker left of one sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...runtime.errors import BenchmarkError
from ..metrics import iou, valid


@dataclass(frozen=True, eq=False)
class Track:
    """boxes: float64 [N, 4], x, y, width, height, pixels, 0-based; NaN where the tracker gave none.

    seconds: float64 [N], what every frame took, NaN where it is not known; None where no times were kept.
    """

    boxes: np.ndarray
    seconds: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or not len(self.boxes):
            raise BenchmarkError(f"a track is N boxes of four numbers, not an array {list(self.boxes.shape)}")
        if self.seconds is not None and self.seconds.shape != (len(self.boxes),):
            raise BenchmarkError(f"a track of {len(self.boxes)} boxes has times of shape {list(self.seconds.shape)}")


def check_track(track: Track, truth: np.ndarray, frames: int, name: str, where: str) -> None:
    """Raise BenchmarkError unless `track` can be one of the sequence `name`, which has `frames` frames.

    truth: float64 [N, 4] or [1, 4]; where: the file, for the sentence. A result starts on the box that its tracker was
    given: one that starts elsewhere belongs to another sequence. It may have lines beyond the truth, as some of
    LaSOT's published ones have, which the protocol then judges.
    """
    if len(track.boxes) < frames:
        raise BenchmarkError(
            f"{where} has {len(track.boxes)} boxes and the sequence {name} {frames} frames; "
            "is it the result of another sequence, or not whole?"
        )
    first = track.boxes[0]
    if valid(first) and valid(truth[0]) and iou(first, truth[0]) == 0:
        here, there = (",".join(f"{v:g}" for v in box) for box in (first, truth[0]))
        raise BenchmarkError(
            f"{where} starts at {here} and the truth of {name} at {there}; is it the result of another sequence?"
        )
