"""Traced graphs, run by ONNX Runtime, against the PyTorch network: every choice, every batch; and what they promise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from ostrack_edge.export import OSTrack
from ostrack_edge.export.count import count_macs
from ostrack_edge.export.model.elimination import box_mask
from ostrack_edge.export.model.head import decode
from ostrack_edge.export.passes import MAP_NAMES, expose_maps
from ostrack_edge.export.promises import CONTROL_FLOW, RUN_TIME_SHAPES, check_promises
from ostrack_edge.export.reference import normalise
from ostrack_edge.export.trace import trace_search, trace_template
from ostrack_edge.runtime.errors import ExportError
from ostrack_edge.runtime.geometry import hann_window
from ostrack_edge.runtime.network import ColorOrder, TemplateTokens

DESIGNS = {
    "published blocks": {},
    "ranked by all": {"template_tokens": TemplateTokens.ALL},
    "ranked by the box": {"template_tokens": TemplateTokens.BOX},
    "ranked by 2x2": {"template_tokens": TemplateTokens.CENTRE_2X2},
    "ranked by 4x4": {"template_tokens": TemplateTokens.CENTRE_4X4},
    "first and last block": {"elimination_blocks": (0, 3), "keep_ratios": (0.6, 0.5)},
    "a stage that keeps all": {"elimination_blocks": (0, 1, 2), "keep_ratios": (0.9, 1.0, 0.5)},
    "every block": {"elimination_blocks": (0, 1, 2, 3), "keep_ratios": (0.8, 0.8, 0.8, 0.8)},
    "no elimination": {"elimination_blocks": (), "keep_ratios": ()},
    "keep ratio 1": {"keep_ratios": (1.0, 1.0)},
    "box ranking without elimination": {"template_tokens": TemplateTokens.BOX, "keep_ratios": (1.0, 1.0)},
    "odd sizes": {"template_size": 48, "search_size": 80, "width": 48, "heads": 3, "mlp_width": 100, "head_width": 24},
}


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def resized(pictures: np.ndarray, size: int) -> np.ndarray:
    return np.ascontiguousarray(pictures[:, :size, :size])


def compare(network: OSTrack, template_model, search_model, given, color: ColorOrder) -> None:
    geometry = network.geometry
    template, box, search = given
    template, search = resized(template, geometry.template_size), resized(search, geometry.search_size)
    window = hann_window(geometry.search_grid)
    first, second = session(template_model), session(expose_maps(search_model))
    feeds = {"template": template, "template_box": box}
    names = {i.name for i in first.get_inputs()}
    cached = first.run(None, {k: v for k, v in feeds.items() if k in names})
    features = dict(zip([o.name for o in first.get_outputs()], cached, strict=True))
    outputs = [o.name for o in second.get_outputs()]
    arrays = second.run(None, {**features, "search": search, "window": window})
    found = {name: np.asarray(array) for name, array in zip(outputs, arrays, strict=True)}

    with torch.inference_mode():
        mask = box_mask(geometry, torch.from_numpy(box)) if geometry.template_tokens is TemplateTokens.BOX else None
        expected = network(normalise(template, color), normalise(search, color), mask)
        best, cell = decode(expected.score_map, expected.size_map, expected.offset_map, torch.from_numpy(window))
    for name in MAP_NAMES:
        np.testing.assert_allclose(found[name], getattr(expected, name).numpy(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(found["box"], best.numpy(), rtol=0, atol=1e-5)
    score = expected.score_map.flatten(1).gather(1, cell[:, None])[:, 0]
    np.testing.assert_allclose(found["score"], score.numpy(), rtol=0, atol=1e-5)
    assert len([n for n in outputs if n.startswith("kept_")]) == len(expected.kept) == len(geometry.kept_counts)
    for i, kept in enumerate(expected.kept):
        assert found[f"kept_{i}"].dtype == np.int32
        assert [set(r) for r in found[f"kept_{i}"].tolist()] == [set(r) for r in kept.tolist()]


@pytest.mark.parametrize(
    ("design", "batch"),
    [
        *((design, 1) for design in DESIGNS),
        ("published blocks", 3),
        ("ranked by the box", 3),
        ("first and last block", 3),
    ],
)
def test_fixed_batches_give_what_pytorch_gives(design: str, batch: int, small_network, pictures) -> None:
    network = small_network(**DESIGNS[design])
    template = trace_template(network, ColorOrder.BGR, batch)
    search = trace_search(network, ColorOrder.BGR, batch, maps=False)
    compare(network, template, search, pictures(batch), ColorOrder.BGR)
    for model in (template, search):
        operators = {node.op_type for node in model.graph.node}
        assert not operators & (CONTROL_FLOW | RUN_TIME_SHAPES)
        assert model.ir_version <= 10
        assert [o.version for o in model.opset_import] == [20]


@pytest.mark.parametrize("design", ["ranked by the box", "no elimination"])
def test_a_symbolic_batch_gives_what_pytorch_gives(design: str, small_network, pictures) -> None:
    network = small_network(**DESIGNS[design])
    template, search = (
        trace_template(network, ColorOrder.RGB, None),
        trace_search(network, ColorOrder.RGB, None, True),
    )
    for batch in (1, 2, 5):
        compare(network, template, search, pictures(batch), ColorOrder.RGB)


def test_the_graph_holds_no_node_that_does_nothing(small_network) -> None:
    model = trace_search(small_network(), ColorOrder.BGR, 1, maps=False)
    count = Counter(node.op_type for node in model.graph.node)
    assert not {"Identity", "Dropout", "Expand", "Constant", "GatherElements", "Where", "Unsqueeze"} & set(count)
    assert count["LayerNormalization"] == 2 * 4 + 1
    assert count["Gelu"] == 4
    assert count["TopK"] == 2
    # Attention of four blocks, and the ranking rows of two.
    assert count["Softmax"] == 4 + 2
    assert count["Conv"] == 3 * 4
    # One cast of the picture in, one of each stage's kept tokens out.
    assert count["Cast"] == 1 + 2
    read = {name for node in model.graph.node for name in node.input} | {o.name for o in model.graph.output}
    assert not [n.name for n in model.graph.node if not read.intersection(n.output)]
    assert not [w.name for w in model.graph.initializer if w.name not in read]


def test_names_tell_where_a_node_comes_from_and_nothing_of_the_machine(small_network) -> None:
    model = trace_search(small_network(), ColorOrder.BGR, 1, maps=False)
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert "blocks.0.qkv/MatMul" in names
    assert any(name.startswith("blocks.1/TopK") for name in names)
    assert "blocks.0.mlp.fc1.weight" in {w.name for w in model.graph.initializer}
    assert b"/torch/" not in model.SerializeToString()
    assert b".py" not in model.SerializeToString()


def test_maps_are_given_out_on_request_only(small_network) -> None:
    network = small_network()
    without, with_maps = (trace_search(network, ColorOrder.BGR, 1, maps=m) for m in (False, True))
    assert [o.name for o in without.graph.output] == ["box", "score", "kept_0", "kept_1"]
    assert [o.name for o in with_maps.graph.output] == ["box", "score", "kept_0", "kept_1", *MAP_NAMES]
    assert [i.name for i in without.graph.input] == ["template_tokens", "search", "window"]


def test_a_fixed_batch_counts_one_sample(small_network) -> None:
    network = small_network()
    totals = {
        batch: sum(n.macs for n in count_macs(trace_search(network, ColorOrder.BGR, batch, maps=False)))
        for batch in (1, 3)
    }
    assert totals[1] == totals[3] > 0


def broken(**attributes: object) -> onnx.ModelProto:
    """A graph that sorts all of its input."""
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 8])
    outputs = [helper.make_tensor_value_info(n, t, [1, 8]) for n, t in (("v", 1), ("i", 7))]
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"], name="sort", axis=1)
    count = helper.make_tensor("k", onnx.TensorProto.INT64, [1], [8])
    graph = helper.make_graph([node], "g", [value], outputs, [count])
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)], **attributes)


def test_promises_name_the_node_that_breaks_them() -> None:
    with pytest.raises(ExportError, match="sort sorts all of its 8 inputs"):
        check_promises(broken(), norms=0, batch=1)
    with pytest.raises(ExportError, match="0 LayerNormalization nodes for 2 norms"):
        check_promises(broken(), norms=2, batch=1)
    newer = broken()
    newer.ir_version = 11
    newer.opset_import[0].version = 21
    with pytest.raises(ExportError, match=r"operator sets are .*21.*IR version is 11"):
        check_promises(newer, norms=0, batch=1)
    looped = broken()
    looped.graph.node.append(helper.make_node("NonZero", ["x"], ["n"], name="mask"))
    looped.graph.node.append(helper.make_node("Shape", ["x"], ["s"], name="ask"))
    with pytest.raises(ExportError, match=r"mask \(NonZero\).*ask \(Shape\)"):
        check_promises(looped, norms=0, batch=1)
    with pytest.raises(ExportError) as symbolic:
        check_promises(looped, norms=0, batch=None)
    assert "Shape" not in str(symbolic.value)
