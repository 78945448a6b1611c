"""Where Q/DQ stand, with which scales, and what they compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, numpy_helper
from ostrack_edge.calib.clipping import RangeMethod
from ostrack_edge.calib.crops import CalibrationCrops
from ostrack_edge.calib.ranges import TensorRange, search_ranges
from ostrack_edge.calib.replay import Replay, session
from ostrack_edge.export.precision.agree import Pair, Runner
from ostrack_edge.export.precision.cpu import pack
from ostrack_edge.export.precision.emulate import emulated
from ostrack_edge.export.precision.half import to_half
from ostrack_edge.export.precision.linears import attentions, linears
from ostrack_edge.export.precision.placement import quantise, quantised_tensors
from ostrack_edge.runtime.manifest import Recipe

from .test_half import graph

RECIPES = (Recipe.LINEARS, Recipe.ATTENTION, Recipe.CPU)
TINY_LINEARS = 4 * 4 + 1
"""qkv, proj, fc1, fc2 of four blocks, the last one's qkv in two."""


@pytest.fixture(scope="module")
def ranges(tiny_pair: Pair, tiny_crops: CalibrationCrops) -> dict[str, TensorRange]:
    names = quantised_tensors(tiny_pair.search, Recipe.ATTENTION)
    return search_ranges(*tiny_pair, Replay(tiny_crops, tiny_crops.seen, 1), names, RangeMethod.MINMAX)


def constants(model: ModelProto) -> dict[str, np.ndarray]:
    return {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}


def count(model: ModelProto, kind: str) -> int:
    return sum(node.op_type == kind for node in model.graph.node)


def test_linears_and_attentions_are_found(tiny_pair: Pair) -> None:
    found = linears(tiny_pair.search)
    assert len(found) == TINY_LINEARS
    assert {linear.name.split(".")[0] for linear in found} == {"blocks"}
    assert all(linear.bias for linear in found)
    assert [a.name for a in attentions(tiny_pair.search)] == [f"blocks.{i}" for i in range(4)], "without the rankings"
    assert not linears(tiny_pair.template), "the patch embedding stays float"


def test_linears_recipe(tiny_pair: Pair, ranges: dict[str, TensorRange]) -> None:
    model = quantise(tiny_pair.search, Recipe.LINEARS, ranges)
    onnx.checker.check_model(model, full_check=True)
    activations = len({linear.data for linear in linears(tiny_pair.search)})
    assert count(model, "QuantizeLinear") == count(model, "DequantizeLinear") == TINY_LINEARS + activations
    held = constants(model)
    for linear in linears(tiny_pair.search):
        weight = held[linear.weight]
        assert weight.dtype == np.float32, "float -> Q -> DQ"
        np.testing.assert_allclose(held[f"{linear.weight}/scale"], np.abs(weight).max(0) / 127, rtol=1e-6)
        assert not held[f"{linear.weight}/zero"].any()
        assert held[f"{linear.data}/zero"] == 0
        span = ranges[linear.data]
        assert held[f"{linear.data}/scale"] == pytest.approx(max(-span.low, span.high) / 127, rel=1e-6)


def test_attention_recipe_quantises_both_products_and_the_output(
    tiny_pair: Pair, ranges: dict[str, TensorRange]
) -> None:
    model = quantise(tiny_pair.search, Recipe.ATTENTION, ranges)
    onnx.checker.check_model(model, full_check=True)
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    quantised = [
        n
        for n in model.graph.node
        if n.op_type == "MatMul" and all(producers.get(i) == "DequantizeLinear" for i in n.input)
    ]
    assert len(quantised) == TINY_LINEARS + 2 * 4
    for attention in attentions(tiny_pair.search):
        assert constants(model)[f"{attention.weights}/scale"] == pytest.approx(1 / 127)
        readers = {n.op_type for n in model.graph.node if attention.output in n.input}
        assert readers == {"QuantizeLinear"}


def test_cpu_recipe_cannot_saturate_in_16_bits(tiny_pair: Pair, ranges: dict[str, TensorRange]) -> None:
    model = pack(quantise(tiny_pair.search, Recipe.CPU, ranges))
    onnx.checker.check_model(model)
    held = constants(model)
    for linear in linears(tiny_pair.search):
        weight = held[f"{linear.weight}/int8"]
        assert weight.dtype == np.int8
        assert 2 * 255 * np.abs(weight.astype(int)).max() < 2**15
        assert held[f"{linear.data}/zero"].dtype == np.uint8
        assert linear.weight not in held
    assert held["head.first.taps/half"].dtype == np.float16


def test_cpu_recipe_runs_in_int8_kernels(tiny_pair: Pair, ranges: dict[str, TensorRange], tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    model = pack(quantise(tiny_pair.search, Recipe.CPU, ranges))
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert kinds.count("QGemm") == TINY_LINEARS


@pytest.mark.parametrize("recipe", RECIPES)
def test_boxes_stay_near_fp32(
    recipe: Recipe, tiny_pair: Pair, ranges: dict[str, TensorRange], tiny_runner: Runner
) -> None:
    full = tiny_runner.answers(tiny_pair)
    model = quantise(tiny_pair.search, recipe, ranges)
    search = pack(model) if recipe is Recipe.CPU else emulated(to_half(model))
    found = tiny_runner.answers(Pair(tiny_pair.template, search))
    assert found.mean_iou(full) > 0.9
    assert np.abs(found.box - full.box).max() > 0


def test_kept_linears_are_left_alone(tiny_pair: Pair, ranges: dict[str, TensorRange]) -> None:
    names = [linear.name for linear in linears(tiny_pair.search)]
    model = quantise(tiny_pair.search, Recipe.LINEARS, ranges, names)
    assert model.SerializeToString(deterministic=True) == tiny_pair.search.SerializeToString(deterministic=True)
    one = quantise(tiny_pair.search, Recipe.LINEARS, ranges, names[1:])
    assert count(one, "QuantizeLinear") == 2


def test_what_a_quantised_linear_computes() -> None:
    random = np.random.default_rng(0)
    weight = random.normal(size=(2, 3)).astype(np.float32)
    x = np.array([[0.3, -2.0]], np.float32)
    span = TensorRange(-1.0, 0.5, np.zeros(2))
    model = quantise(graph(weight), Recipe.LINEARS, {"template_tokens": span})
    scale = np.abs(weight).max(0) / 127
    stored = np.clip(np.rint(x * 127), -128, 127)
    expected = (stored / 127) @ (np.rint(weight / scale) * scale)
    assert stored[0, 1] == -128, "clipped"
    np.testing.assert_allclose(session(model).run(None, {"template_tokens": x})[0], expected, rtol=1e-5)


def test_a_tensor_that_is_zero_throughout_stays_zero_in_half() -> None:
    weight = np.array([[1.0, 0.0], [0.5, 0.0]], np.float32)
    span = TensorRange(0.0, 0.0, np.zeros(2))
    model = emulated(to_half(quantise(graph(weight), Recipe.LINEARS, {"template_tokens": span})))
    found = session(model).run(None, {"template_tokens": np.zeros((1, 2), np.float32)})[0]
    np.testing.assert_array_equal(found, 0)
