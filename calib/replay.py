"""Crops through the two graphs on a CPU, as a tracker would feed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnxruntime
from onnx import ModelProto

from ..runtime.geometry import hann_window


class Crops(Protocol):
    """Search regions and the template that each belongs to (see `CalibrationCrops`)."""

    @property
    def template(self) -> np.ndarray: ...

    @property
    def template_box(self) -> np.ndarray: ...

    @property
    def search(self) -> np.ndarray: ...

    @property
    def target(self) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class OwnTemplates:
    """Crops of which each has a template of its own: arrays as in `Crops`, template and search of equal length."""

    template: np.ndarray
    template_box: np.ndarray
    search: np.ndarray

    @property
    def target(self) -> np.ndarray:
        return np.arange(len(self.search))


class Replay:
    """The inputs of both graphs for some of the crops, in groups of the graphs' batch; a last group that is not full
    repeats its first row."""

    def __init__(self, crops: Crops, rows: Sequence[int], batch: int | None) -> None:
        """rows: the crops to run; batch: the graphs' own, None for any."""
        self._crops = crops
        self._batch = batch or 1
        self.groups = [list(rows[first : first + self._batch]) for first in range(0, len(rows), self._batch)]
        self.targets = sorted({int(crops.target[row]) for row in rows})

    def template_feeds(self, target: int, takes_box: bool) -> dict[str, np.ndarray]:
        """What the template graph takes for one target."""
        rows = [target] * self._batch
        feeds = {"template": self._crops.template[rows]}
        if takes_box:
            feeds["template_box"] = self._crops.template_box[rows]
        return feeds

    def features(self, template: Any) -> dict[int, dict[str, np.ndarray]]:
        """By target, what a session of the template graph gives for one sample."""
        outputs = [o.name for o in template.get_outputs()]
        takes_box = any(i.name == "template_box" for i in template.get_inputs())
        found = {}
        for target in self.targets:
            arrays = template.run(outputs, self.template_feeds(target, takes_box))
            found[target] = {name: array[:1] for name, array in zip(outputs, arrays, strict=True)}
        return found

    def search_feeds(
        self, group: Sequence[int], features: dict[int, dict[str, np.ndarray]], grid: int
    ) -> dict[str, np.ndarray]:
        """What the search graph takes for one group of rows; grid: the score map's side."""
        rows = [*group, *[group[0]] * (self._batch - len(group))]
        cached = [features[int(self._crops.target[row])] for row in rows]
        feeds = {name: np.concatenate([c[name] for c in cached]) for name in cached[0]}
        return {**feeds, "search": self._crops.search[rows], "window": hann_window(grid)}


def session(model: ModelProto) -> Any:
    """The model in ONNX Runtime on the CPU. Q/DQ as it stands, in float, unless its weights are stored in INT8."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    if not any(w.name.endswith("/int8") for w in model.graph.initializer):
        settings.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])


def score_grid(search: Any) -> int:
    """The score map's side, from a session of the search graph."""
    return next(i.shape[0] for i in search.get_inputs() if i.name == "window")
