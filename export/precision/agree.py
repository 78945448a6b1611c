"""How far a pair of graphs agrees with the FP32 pair on crops: the same state for both, crop by crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnxruntime
from onnx import ModelProto

from ...runtime.errors import VerificationError
from ...runtime.geometry import hann_window
from ..passes import expose_maps


class Pair(NamedTuple):
    """The two graphs of one precision."""

    template: ModelProto
    search: ModelProto


class Crops(Protocol):
    """Search regions and the template that each belongs to (see `calib.crops`)."""

    @property
    def template(self) -> np.ndarray: ...

    @property
    def template_box(self) -> np.ndarray: ...

    @property
    def search(self) -> np.ndarray: ...

    @property
    def target(self) -> np.ndarray: ...


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
        self._crops = crops
        self._rows = list(rows)
        self._batch = batch or 1

    def __len__(self) -> int:
        return len(self._rows)

    def answers(self, pair: Pair, progress: Progress = lambda done, count: None) -> Answers:
        """Raises VerificationError where a result is not finite."""
        template, search = session(pair.template), session(expose_maps(_copy(pair.search)))
        features = self._features(template)
        shape = search.get_inputs()
        grid = next(i.shape[0] for i in shape if i.name == "window")
        window = hann_window(grid)
        boxes, scores, cells = [], [], []
        for first in range(0, len(self._rows), self._batch):
            rows = self._filled(self._rows[first : first + self._batch])
            cached = [features[int(self._crops.target[row])] for row in rows]
            feeds = {name: np.concatenate([c[name] for c in cached]) for name in cached[0]}
            found = search.run(
                ["box", "score", "score_map"], {**feeds, "search": self._crops.search[rows], "window": window}
            )
            count = min(self._batch, len(self._rows) - first)
            boxes.append(found[0][:count])
            scores.append(found[1][:count])
            cells.append((found[2][:count].reshape(count, -1) * window.reshape(1, -1)).argmax(1))
            progress(first + count, len(self._rows))
        answers = Answers(np.concatenate(boxes), np.concatenate(scores), np.concatenate(cells))
        finite = np.isfinite(answers.box).all(1) & np.isfinite(answers.score)
        if not finite.all():
            raise VerificationError(
                f"the graphs give {int((~finite).sum())} of {len(finite)} boxes that are not finite: a value overflows "
                "in this precision"
            )
        return answers

    def _features(self, template: Any) -> dict[int, dict[str, np.ndarray]]:
        outputs = [o.name for o in template.get_outputs()]
        takes_box = any(i.name == "template_box" for i in template.get_inputs())
        found = {}
        for target in sorted({int(self._crops.target[row]) for row in self._rows}):
            rows = self._filled([target])
            feeds = {"template": self._crops.template[rows]}
            if takes_box:
                feeds["template_box"] = self._crops.template_box[rows]
            found[target] = {n: a[:1] for n, a in zip(outputs, template.run(outputs, feeds), strict=True)}
        return found

    def _filled(self, rows: list[int]) -> list[int]:
        """A whole batch, the first row repeated."""
        return rows + [rows[0]] * (self._batch - len(rows))


def session(model: ModelProto) -> Any:
    """The model in ONNX Runtime on the CPU; Q/DQ as it stands, in float, unless its weights are stored in INT8."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    if not any(w.name.endswith("/int8") for w in model.graph.initializer):
        settings.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])


def _copy(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def _iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    low = np.maximum(one[:, :2] - one[:, 2:] / 2, other[:, :2] - other[:, 2:] / 2)
    high = np.minimum(one[:, :2] + one[:, 2:] / 2, other[:, :2] + other[:, 2:] / 2)
    common = np.clip(high - low, 0, None).prod(1)
    return common / (one[:, 2:].prod(1) + other[:, 2:].prod(1) - common)
