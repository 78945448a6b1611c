"""FP16 and INT8 graphs of every design: each pass finds what it is about in them too."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from ostrack_edge.export import untrained_network
from ostrack_edge.export.precision.half import to_half
from ostrack_edge.export.precision.linears import attentions, linears
from ostrack_edge.export.precision.placement import quantise, quantised_tensors
from ostrack_edge.export.trace import trace_search, trace_template
from ostrack_edge.runtime.manifest import Recipe
from ostrack_edge.runtime.network import ColorOrder

from .conftest import DESIGNS

SEED = 1
"""Of weights whose lonely bias, the score's, half can hold."""


class Span:
    low, high = -4.0, 4.0


@pytest.mark.parametrize(
    ("name", "attention_count", "relation_linears"),
    [
        ("all at once", 4 + 2 + 1, 2 * 4 + 5),
        ("STARK-aligned", 4 + 2, 1 + 4 + 5),
        ("relative, ranked by the box", 4, 0),
    ],
)
def test_the_passes_find_every_attention_and_linear(name: str, attention_count: int, relation_linears: int) -> None:
    geometry = DESIGNS[name]
    network = untrained_network(geometry, SEED)
    search = trace_search(network, ColorOrder.BGR, 1, False)
    template = trace_template(network, ColorOrder.BGR, 1)
    assert len(attentions(search)) == attention_count
    found = [linear.name for linear in linears(search)]
    assert sum(n.startswith("relation.") for n in found) == relation_linears
    assert all(n.startswith(("relation.", "blocks.")) for n in found)
    assert len(linears(template)) == (4 * geometry.separate_blocks + 1 if geometry.separate_blocks else 0) + (
        name == "STARK-aligned"
    )
    for model in (search, template):
        onnx.checker.check_model(to_half(model), full_check=True)
    ranges = {tensor: Span() for tensor in quantised_tensors(search, Recipe.ATTENTION)}
    quantised = quantise(search, Recipe.ATTENTION, ranges)
    onnx.checker.check_model(to_half(quantised), full_check=True)
    weights = {w.name for w in search.graph.initializer}
    assert {linear.weight for linear in linears(search)} == {f"{n}.weight" for n in found}
    assert weights >= {f"{n}.weight" for n in found}


def test_the_graphs_for_half_run_in_float_as_before() -> None:
    """Casts are where they belong: read by ONNX Runtime, which computes them in FP32, the boxes stay near."""
    import onnxruntime

    network = untrained_network(DESIGNS["all at once"], SEED)
    pair = [trace_template(network, ColorOrder.BGR, 1), trace_search(network, ColorOrder.BGR, 1, False)]
    random = np.random.default_rng(0)
    template = random.integers(0, 256, (1, 112, 112, 3), np.uint8)
    search = random.integers(0, 256, (1, 128, 128, 3), np.uint8)
    boxes = []
    for models in (pair, [to_half(model) for model in pair]):
        first, second = (onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"])
                         for m in models)  # fmt: skip
        names = [o.name for o in first.get_outputs()]
        features = dict(zip(names, first.run(names, {"template": template}), strict=True))
        window = np.zeros((8, 8), np.float32)
        window[3, 4] = 1
        boxes.append(second.run(["box"], {**features, "search": search, "window": window})[0])
    np.testing.assert_allclose(boxes[0], boxes[1], atol=5e-3)
