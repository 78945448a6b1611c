"""How far a pair of graphs agrees with the FP32 pair on crops: the same state for both, crop by crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from onnx import ModelProto

from ...calib.replay import Crops, Replay, score_grid, session
from ...runtime.errors import VerificationError
from ...runtime.geometry import hann_window
from ..passes import expose_maps


class Pair(NamedTuple):
    """The two graphs of one precision."""

    template: ModelProto
    search: ModelProto


@dataclass(frozen=True)
class Answers:
    """By crop: box float32 [N, 4] (centre x, centre y, w, h in 0..1 of the crop), score float32 [N], and cell int64
    [N], the best one under the Hann window."""

    box: np.ndarray
    score: np.ndarray
    cell: np.ndarray

    def mean_iou(self, other: Answers) -> float:
        """Mean intersection over union of the boxes, crop by crop."""
        return float(np.mean(_iou(self.box, other.box)))

    def same_cell(self, other: Answers) -> float:
        """Share of the crops with the same best cell."""
        return float(np.mean(self.cell == other.cell))


Progress = Callable[[int, int], None]
"""Told how many crops are done, and of how many."""


class Runner:
    """Runs pairs of graphs over the same crops with ONNX Runtime on the CPU."""

    def __init__(self, crops: Crops, rows: Sequence[int], batch: int | None) -> None:
        """rows: the crops to run; batch: the graphs' own, None for any."""
        self._replay = Replay(crops, rows, batch)
        self._count = len(rows)

    def __len__(self) -> int:
        return self._count

    def answers(self, pair: Pair, progress: Progress = lambda done, count: None) -> Answers:
        """Raises VerificationError where a result is not finite."""
        template, search = session(pair.template), session(expose_maps(_copy(pair.search)))
        features, grid = self._replay.features(template), score_grid(search)
        window = hann_window(grid).reshape(1, -1)
        boxes, scores, cells = [], [], []
        for group in self._replay.groups:
            feeds = self._replay.search_feeds(group, features, grid)
            box, score, score_map = (a[: len(group)] for a in search.run(["box", "score", "score_map"], feeds))
            boxes.append(box)
            scores.append(score)
            cells.append((score_map.reshape(len(group), -1) * window).argmax(1))
            progress(sum(map(len, boxes)), self._count)
        answers = Answers(np.concatenate(boxes), np.concatenate(scores), np.concatenate(cells))
        finite = np.isfinite(answers.box).all(1) & np.isfinite(answers.score)
        if not finite.all():
            raise VerificationError(
                f"the graphs give {int((~finite).sum())} of {len(finite)} boxes that are not finite: a value overflows "
                "in this precision"
            )
        return answers


def _copy(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def _iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    low = np.maximum(one[:, :2] - one[:, 2:] / 2, other[:, :2] - other[:, 2:] / 2)
    high = np.minimum(one[:, :2] + one[:, 2:] / 2, other[:, :2] + other[:, 2:] / 2)
    common = np.clip(high - low, 0, None).prod(1)
    return common / (one[:, 2:].prod(1) + other[:, 2:].prod(1) - common)
