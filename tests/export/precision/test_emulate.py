"""The emulation really rounds: by hand, and by an overflow that FP32 hides."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper
from ostrack_edge.calib.replay import session
from ostrack_edge.export import OSTrack
from ostrack_edge.export.precision.agree import Pair, Runner
from ostrack_edge.export.precision.emulate import emulated
from ostrack_edge.export.precision.half import to_half
from ostrack_edge.export.precision.make import make_half, on_a_cpu
from ostrack_edge.runtime.errors import VerificationError
from ostrack_edge.runtime.manifest import Recipe

from .conftest import crops_of, pair_of
from .test_half import FULL, HALF


def test_each_result_is_rounded_to_half() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], name="in", to=HALF),
        helper.make_node("Mul", ["h", "h"], ["square"], name="Mul"),
        helper.make_node("Add", ["square", "one"], ["sum"], name="Add"),
        helper.make_node("Cast", ["sum"], ["y"], name="out", to=FULL),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FULL, [5])],
        [helper.make_tensor_value_info("y", FULL, [5])],
        [numpy_helper.from_array(np.array([1 / 3], np.float16), "one")],
        value_info=[helper.make_tensor_value_info(n, HALF, [5]) for n in ("h", "square", "sum")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    x = np.array([0.1, 1.0009765, 3.14159, 255.9, 300.0], np.float32)
    half = x.astype(np.float16)
    with np.errstate(over="ignore"):
        expected = (half * half + np.float16(1 / 3)).astype(np.float32)
    assert np.isinf(expected[-1])
    np.testing.assert_array_equal(session(emulated(model)).run(None, {"x": x})[0], expected)


def test_an_overflow_of_activations_makes_the_check_fail_and_the_guard_mends_it(tiny_network: OSTrack) -> None:
    network = copy.deepcopy(tiny_network)
    with torch.no_grad():
        # Every constant fits into half; what comes out of the product does not.
        network.backbone.ordered_blocks[1].mlp.fc2.bias.add_(torch.linspace(-4e4, 4e4, 64))
        network.backbone.ordered_blocks[2].mlp.fc2.bias.add_(torch.linspace(-4e4, 4e4, 64))
    pair, crops = pair_of(network), crops_of(network, 4)
    runner = Runner(crops, range(4), 1)
    full = runner.answers(pair)
    with pytest.raises(VerificationError, match="4 of 4 boxes that are not finite"):
        runner.answers(Pair(*(emulated(to_half(model)) for model in pair)))
    guarded = make_half(pair, crops, range(4), 1)
    found = runner.answers(on_a_cpu(guarded, Recipe.PLAIN))
    # Made-up weights score neighbouring cells alike, so the cell is nobody's merit; what is read there is.
    np.testing.assert_allclose(found.score, full.score, rtol=0, atol=1e-3)
    np.testing.assert_allclose(found.box[:, 2:], full.box[:, 2:], rtol=0, atol=0.02)
