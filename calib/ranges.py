"""The spans of activations over calibration crops, in two passes over them: extremes, then histograms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, helper

from ..runtime.errors import FootageError
from ..runtime.opencv import cv2
from .clipping import RangeMethod, clip_fraction
from .replay import Replay, score_grid, session

BINS = 4096
"""Of each histogram of magnitudes."""

Progress = Callable[[int, int], None]
"""Told how many runs are done, and of how many."""


@dataclass(frozen=True, eq=False)
class TensorRange:
    """The span of an activation that its INT8 is to cover; channel_max: float32 [C], the largest magnitude of each
    channel of the last axis, over all that was seen."""

    low: float
    high: float
    channel_max: np.ndarray


def search_ranges(
    template: ModelProto,
    search: ModelProto,
    replay: Replay,
    tensors: Sequence[str],
    method: RangeMethod,
    progress: Progress = lambda done, count: None,
) -> dict[str, TensorRange]:
    """Ranges of values of the FP32 search graph, by name. Raises FootageError for one that is not finite."""
    probed = session(_shown(search, tensors))
    features, grid = replay.features(session(template)), score_grid(probed)

    def runs() -> Iterator[list[np.ndarray]]:
        for group in replay.groups:
            found = probed.run(list(tensors), replay.search_feeds(group, features, grid))
            yield [array[: len(group)] for array in found]

    return _measure(runs, len(replay.groups), tensors, method, progress)


def template_ranges(
    template: ModelProto, replay: Replay, tensors: Sequence[str], method: RangeMethod
) -> dict[str, TensorRange]:
    """Ranges of values of the FP32 template graph, by name. Raises FootageError for one that is not finite."""
    if not tensors:
        return {}
    probed = session(_shown(template, tensors))
    takes_box = any(i.name == "template_box" for i in probed.get_inputs())

    def runs() -> Iterator[list[np.ndarray]]:
        for target in replay.targets:
            yield [array[:1] for array in probed.run(list(tensors), replay.template_feeds(target, takes_box))]

    return _measure(runs, len(replay.targets), tensors, method, lambda done, count: None)


def _measure(
    runs: Callable[[], Iterator[list[np.ndarray]]],
    count: int,
    tensors: Sequence[str],
    method: RangeMethod,
    progress: Progress,
) -> dict[str, TensorRange]:
    passes = 1 if method is RangeMethod.MINMAX else 2
    extremes = _extremes(runs(), tensors, lambda done: progress(done, passes * count))
    counts = {name: np.zeros(BINS, np.int64) for name in tensors}
    if passes == 2:
        for done, arrays in enumerate(runs(), 1):
            for name, array in zip(tensors, arrays, strict=True):
                low, high, _ = extremes[name]
                if high > low:
                    counts[name] += _histogram(np.abs(array), max(-low, high))
            progress(count + done, passes * count)
    found = {}
    for name, (low, high, channels) in extremes.items():
        limit = clip_fraction(method, counts[name]) * max(-low, high)
        found[name] = TensorRange(max(low, -limit), min(high, limit), channels)
    return found


def _histogram(magnitudes: np.ndarray, largest: float) -> np.ndarray:
    """int64 [BINS]: how many of the magnitudes, float32, lie in each part of 0 to `largest`, that included."""
    # OpenCV's takes a tenth of numpy's time, which is as long as the network's; its upper bound is exclusive.
    above = float(np.nextafter(np.float32(largest), np.float32(np.inf)))
    return cv2.calcHist([magnitudes.reshape(1, -1)], [0], None, [BINS], [0, above]).ravel().astype(np.int64)


def _extremes(
    runs: Iterator[list[np.ndarray]], tensors: Sequence[str], progress: Callable[[int], None]
) -> Mapping[str, tuple[float, float, np.ndarray]]:
    found: dict[str, tuple[float, float, np.ndarray]] = {}
    for done, arrays in enumerate(runs, 1):
        for name, array in zip(tensors, arrays, strict=True):
            channels = np.abs(array).reshape(-1, array.shape[-1]).max(0)
            if not np.isfinite(channels).all():
                raise FootageError(
                    f"{name} is not finite on calibration run {done}: its weights or the crops are damaged"
                )
            low, high = float(array.min()), float(array.max())
            if name in found:
                before = found[name]
                low, high, channels = min(low, before[0]), max(high, before[1]), np.maximum(channels, before[2])
            # Zero is always in a span: quantised, it must stay zero.
            found[name] = (min(low, 0.0), max(high, 0.0), channels)
        progress(done)
    return found


def _shown(model: ModelProto, tensors: Sequence[str]) -> ModelProto:
    """The model with these values among its outputs."""
    shown = ModelProto()
    shown.CopyFrom(model)
    have = {o.name for o in shown.graph.output}
    shown.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in tensors if name not in have)
    return shown
