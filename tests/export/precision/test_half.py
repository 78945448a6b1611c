"""FP16 graphs: what is typed how, what is refused, and that their rounded arithmetic gives FP32's boxes."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from ostrack_edge.export import untrained_network
from ostrack_edge.export.passes import MAP_NAMES
from ostrack_edge.export.precision.agree import Pair, Runner
from ostrack_edge.export.precision.emulate import emulated
from ostrack_edge.export.precision.guard import guarded_nodes, largest_magnitudes
from ostrack_edge.export.precision.half import FULL_TENSORS, to_half
from ostrack_edge.export.precision.values import Values
from ostrack_edge.runtime.errors import ExportError
from ostrack_edge.runtime.network import NetworkGeometry, TemplateTokens

from .conftest import crops_of, pair_of

HALF, FULL = TensorProto.FLOAT16, TensorProto.FLOAT


def nodes(model: ModelProto, kind: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == kind]


def test_what_is_between_the_graphs_is_half_and_what_leaves_them_is_not(tiny_pair: Pair) -> None:
    template, search = (to_half(model) for model in tiny_pair)
    for model in (template, search):
        onnx.checker.check_model(model, full_check=True)
    assert {o.name: o.type.tensor_type.elem_type for o in template.graph.output} == {"template_tokens": HALF}
    types = {v.name: v.type.tensor_type.elem_type for v in (*search.graph.input, *search.graph.output)}
    assert types["template_tokens"] == HALF
    assert {name: types[name] for name in ("window", "box", "score")} == dict.fromkeys(("window", "box", "score"), FULL)
    assert types["search"] == TensorProto.UINT8
    maps = {v.name: v.type.tensor_type.elem_type for v in search.graph.value_info if v.name in MAP_NAMES}
    assert maps == dict.fromkeys(MAP_NAMES, FULL)


def test_every_product_norm_and_activation_computes_in_half_but_the_ranking(tiny_pair: Pair) -> None:
    search = to_half(tiny_pair.search)
    values = Values(search)
    for kind in ("LayerNormalization", "Gelu", "Conv"):
        assert nodes(search, kind)
        assert {values.types[node.output[0]] for node in nodes(search, kind)} == {HALF}
    rankings = [node for node in nodes(search, "Softmax") if values.types[node.output[0]] == FULL]
    assert len(rankings) == len(nodes(search, "TopK")) == 2
    assert {values.types[node.input[0]] for node in nodes(search, "TopK")} == {FULL}
    full_products = [node for node in nodes(search, "MatMul") if values.types[node.output[0]] == FULL]
    assert len(full_products) == len(rankings)
    assert {values.types[node.input[0]] for node in nodes(search, "ArgMax")} == {FULL}


def test_what_is_between_the_graphs_is_half_though_its_maker_is_guarded(tiny_pair: Pair) -> None:
    maker = Values(tiny_pair.template).producer["template_tokens"]
    template = to_half(tiny_pair.template, {maker.name})
    onnx.checker.check_model(template, full_check=True)
    assert {o.name: o.type.tensor_type.elem_type for o in template.graph.output} == {"template_tokens": HALF}
    values = Values(template)
    last = values.producer["template_tokens"]
    assert (last.op_type, values.types[last.input[0]]) == ("Cast", FULL)


@pytest.mark.parametrize("tokens", list(TemplateTokens))
def test_rounded_arithmetic_gives_the_boxes_of_fp32(tiny_geometry: NetworkGeometry, tokens: TemplateTokens) -> None:
    geometry = dataclasses.replace(tiny_geometry, template_tokens=tokens, template_size=96)
    network = untrained_network(geometry)
    pair, crops = pair_of(network), crops_of(network, 6)
    runner = Runner(crops, range(6), 1)
    full, half = runner.answers(pair), runner.answers(Pair(*(emulated(to_half(model)) for model in pair)))
    assert half.mean_iou(full) > 0.99
    assert np.abs(half.box - full.box).max() > 0, "nothing was rounded"


def test_any_batch_is_typed_too(tiny_network) -> None:
    for model in pair_of(tiny_network, None):
        onnx.checker.check_model(to_half(model), full_check=True)


def test_the_given_model_is_left_as_it_was(tiny_pair: Pair) -> None:
    before = tiny_pair.search.SerializeToString(deterministic=True)
    emulated(to_half(tiny_pair.search))
    assert tiny_pair.search.SerializeToString(deterministic=True) == before


def graph(weight: np.ndarray, name: str = "blocks.0.fc.weight") -> ModelProto:
    """template_tokens @ weight, called box."""
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["template_tokens", name], ["box"], name="blocks.0.fc/MatMul")],
            "g",
            [helper.make_tensor_value_info("template_tokens", FULL, [1, weight.shape[0]])],
            [helper.make_tensor_value_info("box", FULL, [1, weight.shape[1]])],
            [numpy_helper.from_array(weight, name)],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )


def test_a_constant_beyond_half_is_refused_by_name() -> None:
    with pytest.raises(ExportError, match=r"blocks\.0\.fc\.weight holds 7e\+04, more than FP16 can"):
        to_half(graph(np.full((2, 2), 7e4, np.float32)))


def test_a_constant_that_half_would_flush_is_refused_by_name() -> None:
    with pytest.raises(ExportError, match=r"blocks\.0\.fc\.weight holds values down to 1e-07, which FP16 would lose"):
        to_half(graph(np.full((2, 2), 1e-7, np.float32)))


def test_small_values_beside_large_ones_are_no_loss() -> None:
    half = to_half(graph(np.array([[1.0, 1e-7]], np.float32)))
    assert half.graph.initializer[0].data_type == HALF


def test_outputs_of_the_contract_are_the_full_tensors(tiny_pair: Pair) -> None:
    names = {v.name for model in tiny_pair for v in (*model.graph.input, *model.graph.output)}
    assert names & FULL_TENSORS == {"window", "box", "score"}


def feeds(model: ModelProto, largest: float) -> dict[str, np.ndarray]:
    return {"template_tokens": np.full((1, 2), largest, np.float32)}


def test_values_near_overflow_are_guarded() -> None:
    model = graph(np.full((2, 2), 100.0, np.float32))
    largest = largest_magnitudes(model, 2, lambda run: feeds(model, [1.0, 300.0][run]))
    assert largest == {"box": 60000.0}
    assert guarded_nodes(model, largest) == {"blocks.0.fc/MatMul"}
    assert guarded_nodes(model, {"box": 100.0}) == frozenset()


def test_a_value_that_is_not_finite_in_fp32_is_named() -> None:
    model = graph(np.full((2, 2), 3e38, np.float32))
    with pytest.raises(ExportError, match="box is not finite in the FP32 graph on crop 0"):
        largest_magnitudes(model, 1, lambda run: feeds(model, 10.0))
