"""Spans of tensors that are known from the crops alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper
from onnx.parser import parse_model
from ostrack_edge.calib.clipping import RangeMethod
from ostrack_edge.calib.crops import CalibrationCrops
from ostrack_edge.calib.ranges import BINS, TensorRange, _histogram, search_ranges, template_ranges
from ostrack_edge.calib.replay import Replay
from ostrack_edge.runtime.errors import FootageError

TEMPLATE = """
<ir_version: 10, opset_import: ["" : 20]>
template (uint8[{n},64,64,3] template) => (float[{n},64,64,3] template_tokens) {{
    shift = Constant <value = float {{-50.0}}> ()
    as_float = Cast <to = 1> (template)
    template_tokens = Add (as_float, shift)
}}
"""

SEARCH = """
<ir_version: 10, opset_import: ["" : 20]>
search (uint8[{n},128,128,3] search, float[{n},64,64,3] template_tokens, float[8,8] window)
    => (float[{n},3] box, float[8,8] score) {{
    halves = Constant <value = float {{-0.5}}> ()
    pixels = Cast <to = 1> (search)
    halved = Mul (pixels, halves)
    box = ReduceMean <keepdims = 0> (halved, axes)
    broken = Log (halved)
    score = Identity (window)
}}
"""


def models(batch: int) -> tuple[ModelProto, ModelProto]:
    template, search = (parse_model(text.format(n=batch)) for text in (TEMPLATE, SEARCH))
    search.graph.initializer.append(numpy_helper.from_array(np.array([1, 2]), "axes"))
    return template, search


@pytest.fixture(params=[1, 3], ids=["alone", "in threes"])
def batch(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def crops(made_crops: Callable[..., CalibrationCrops]) -> CalibrationCrops:
    return made_crops()


def measured(crops: CalibrationCrops, batch: int, method: RangeMethod, *names: str) -> dict[str, TensorRange]:
    return search_ranges(*models(batch), Replay(crops, crops.seen, batch), names, method)


def test_minmax_is_what_was_seen_and_zero(crops: CalibrationCrops, batch: int) -> None:
    # Not the rows held back, whose values would show.
    crops.search[: len(crops.seen)] = crops.search[: len(crops.seen)].clip(10, 200)
    crops.search[3, 5, 6] = (201, 202, 203)
    found = measured(crops, batch, RangeMethod.MINMAX, "halved", "pixels")
    assert (found["halved"].low, found["halved"].high) == (-101.5, 0)
    assert (found["pixels"].low, found["pixels"].high) == (0, 203)
    np.testing.assert_array_equal(found["halved"].channel_max, [100.5, 101, 101.5])


def test_mse_clips_a_lone_outlier_and_minmax_does_not(crops: CalibrationCrops, batch: int) -> None:
    crops.search[:] = crops.search % 24
    crops.search[3, 5, 6, 1] = 255
    spans = {m: measured(crops, batch, m, "halved")["halved"] for m in RangeMethod}
    assert spans[RangeMethod.MINMAX].low == -127.5
    assert all(s.high == 0 for s in spans.values())
    # Of 786,432 values one is outside a: a^2 / (12 * 127^2) + (127.5 - a)^2 / 786432 is least at 25.2.
    assert spans[RangeMethod.MSE].low == pytest.approx(-25.2, abs=0.7)
    assert spans[RangeMethod.PERCENTILE].low == pytest.approx(-11.5, abs=0.1)
    # What is equalised by is never clipped.
    assert all(s.channel_max[1] == 127.5 for s in spans.values())


def test_a_row_that_fills_up_a_group_is_not_counted_twice(crops: CalibrationCrops) -> None:
    """Of 16 rows in threes the last group is filled up with rows that were there; percentiles would show it."""
    alone = measured(crops, 1, RangeMethod.PERCENTILE, "halved")["halved"]
    threes = measured(crops, 3, RangeMethod.PERCENTILE, "halved")["halved"]
    assert (alone.low, alone.high) == (threes.low, threes.high)


def test_the_template_graph_is_measured_on_every_template(crops: CalibrationCrops, batch: int) -> None:
    crops.template[:] = crops.template.clip(60, 180)
    crops.template[0, 0, 0, 0], crops.template[1, 0, 0, 2] = 0, 255
    replay = Replay(crops, crops.seen, batch)
    found = template_ranges(models(batch)[0], replay, ["template_tokens"], RangeMethod.MINMAX)["template_tokens"]
    assert (found.low, found.high) == (-50, 205)
    np.testing.assert_array_equal(found.channel_max, [130, 130, 205])
    assert template_ranges(models(batch)[0], replay, [], RangeMethod.MINMAX) == {}


def test_what_is_not_finite_is_named(crops: CalibrationCrops, batch: int) -> None:
    with pytest.raises(FootageError, match="broken is not finite on calibration run 1: its weights or the crops"):
        measured(crops, batch, RangeMethod.MINMAX, "halved", "broken")


def test_progress_reaches_the_end(crops: CalibrationCrops) -> None:
    for method, passes in ((RangeMethod.MINMAX, 1), (RangeMethod.MSE, 2)):
        told: list[tuple[int, int]] = []
        replay = Replay(crops, crops.seen, 1)
        search_ranges(*models(1), replay, ["halved"], method, lambda *step: told.append(step))  # noqa: B023
        count = passes * len(crops.seen)
        assert told == [(n, count) for n in range(1, count + 1)]


def test_the_model_is_left_as_it_was(crops: CalibrationCrops) -> None:
    template, search = models(1)
    before = search.SerializeToString(deterministic=True)
    search_ranges(template, search, Replay(crops, crops.seen, 1), ["halved", "box"], RangeMethod.MINMAX)
    assert search.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("largest", [1e-30, 0.1, 1 / 3, 7.3, 1e30])
def test_histograms_miss_nothing(largest: float) -> None:
    """As numpy counts them, but for values within a rounding error of an edge; the largest is in the last bin."""
    largest = float(np.float32(largest))
    values = np.random.default_rng(0).exponential(0.1, (3, 500, 7)).clip(0, 1).astype(np.float32) * np.float32(largest)
    values[0, 0, 0], values[0, 0, 1] = largest, 0
    found = _histogram(values, largest)
    expected = np.histogram(values, BINS, (0, largest))[0]
    assert found.sum() == values.size
    assert found[-1] == expected[-1] >= 1
    assert np.abs(np.cumsum(found - expected)).max() <= 2
