from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ostrack_edge.export import build_bundle, untrained_network
from ostrack_edge.export.graphs import SearchGraph, TemplateGraph
from ostrack_edge.runtime.backends import load_backend
from ostrack_edge.runtime.geometry import hann_window
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry

from .conftest import DESIGNS, network_answers

Crops = tuple[np.ndarray, np.ndarray, np.ndarray]


def run_graphs(geometry: NetworkGeometry, crops: Crops) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The template graph's outputs, and the search graph's."""
    network = untrained_network(geometry)
    first, second = (graph(network, ColorOrder.RGB).eval() for graph in (TemplateGraph, SearchGraph))
    template, box, search = (torch.from_numpy(part) for part in crops)
    with torch.inference_mode():
        features = first(template, *([box] if first.ranks_by_box else []))
        features = dict(zip(first.output_names, features, strict=True))
        found = second(search=search, window=torch.ones(8, 8), **features)
    return features, dict(zip(second.output_names, found, strict=True))


@pytest.mark.parametrize("geometry", DESIGNS.values(), ids=DESIGNS.keys())
def test_the_graphs_compute_what_the_network_does(geometry: NetworkGeometry, crops: Crops) -> None:
    wanted = network_answers(untrained_network(geometry), crops)
    _, found = run_graphs(geometry, crops)
    for name in ("score_map", "size_map", "offset_map"):
        torch.testing.assert_close(found[name], getattr(wanted, name), rtol=0, atol=1e-5)
    for stage, kept in enumerate(wanted.kept):
        assert [set(row) for row in found[f"kept_{stage}"].tolist()] == [set(row) for row in kept.tolist()]


@pytest.mark.parametrize("name", ["two relation layers", "STARK-aligned", "SwinTrack-aligned"])
def test_the_search_graph_has_no_template_before_the_first_relation(name: str, crops: Crops) -> None:
    geometry = DESIGNS[name]
    features, _ = run_graphs(geometry, crops)
    width = geometry.width if geometry.joint_blocks else geometry.head_inputs
    assert {n: tuple(f.shape) for n, f in features.items()} == {
        "template_tokens": (3, 49, width),
        "template_qkv": (3, 49, 3 * width),
    }
    # Everything up to there is the template graph's: other features change the answer, another template does not.
    network = untrained_network(geometry)
    graph = SearchGraph(network, ColorOrder.RGB).eval()
    seen: list[int] = []
    for block in graph.blocks[: geometry.separate_blocks]:
        block.register_forward_hook(lambda module, given, out: seen.append(out.shape[1]))
    with torch.inference_mode():
        graph(search=torch.from_numpy(crops[2]), window=torch.ones(8, 8), **features)
    assert seen == [geometry.search_token_count] * geometry.separate_blocks


@pytest.mark.parametrize(
    ("name", "batch"),
    [
        ("identity", 1),
        ("relative", 1),
        ("two relation layers", 1),
        ("STARK-aligned", 1),
        ("SwinTrack-aligned", 1),
        ("extra relation", 2),
        ("all at once", None),
    ],
)
def test_a_bundle_keeps_its_promises_and_runs(name: str, batch: int | None, crops: Crops, tmp_path: Path) -> None:
    geometry = DESIGNS[name]
    network = untrained_network(geometry)
    # Refused where a promise is broken, or parity lies outside 1e-4.
    bundle = build_bundle(network, tmp_path / "bundle", color="rgb", batch=batch, trained=False)
    assert bundle.manifest.network == geometry
    assert bundle.manifest.parity[0].kept_sets_equal == bundle.manifest.parity[0].crops
    backend = load_backend(bundle, "onnxruntime", threads=1)
    count = batch or 3
    template, box, search = (part[:count] for part in crops)
    found = backend.search(backend.embed_template(template, box), search, hann_window(8))
    score = network_answers(network, (template, box, search)).score_map
    best = (score * torch.from_numpy(hann_window(8))).flatten(1).argmax(1)
    np.testing.assert_allclose(found.score, score.flatten(1).gather(1, best[:, None])[:, 0].numpy(), atol=1e-5)
