from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from ostrack_edge.benchmarks.macs.count import count_geometry, stage_of
from ostrack_edge.benchmarks.macs.plan import (
    published_products,
    savings,
    search_graph_products,
    stages,
    template_graph_products,
)
from ostrack_edge.benchmarks.macs.products import HEAD, PATCHES, Product, total
from ostrack_edge.export.variants import VARIANTS
from ostrack_edge.runtime.design import Design, RelationKind, RelationModule
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry, TemplateTokens

SMALL = NetworkGeometry("small", 80, 128, 2.0, 4.0, 96, 4, 3, 160, 24, (1, 2), (0.7, 0.6))
SWINTRACK = RelationModule(RelationKind.SWINTRACK, 2, 96, 3, 160)
STARK = RelationModule(RelationKind.STARK, 2, 64, 4, 112)


def made(design: Design, blocks: tuple[int, ...] = (), **changes: object) -> NetworkGeometry:
    ratios = (0.6,) * len(blocks)
    return dataclasses.replace(SMALL, design=design, elimination_blocks=blocks, keep_ratios=ratios, **changes)  # type: ignore[arg-type]


DESIGNS = {
    "identity": made(Design(identity_embeddings=True), (1, 2)),
    "relative": made(Design(relative_positions=True), (1, 3)),
    "extra relation": made(Design(module=SWINTRACK), (1, 3)),
    "extra relation, whole": made(Design(module=SWINTRACK)),
    "extra relation as STARK's": made(Design(module=STARK), (2,)),
    "two relation layers": made(Design(relation_layers=2), (2,)),
    "one relation layer": made(Design(relation_layers=1)),
    "one relation layer that drops": made(Design(relation_layers=1), (3,), template_tokens=TemplateTokens.BOX),
    "relation layers and a module": made(Design(relation_layers=2, module=SWINTRACK), (3,)),
    "STARK-aligned": made(Design(relation_layers=0, module=STARK)),
    "STARK-aligned, one layer": made(Design(relation_layers=0, module=dataclasses.replace(STARK, layers=1))),
    "SwinTrack-aligned": made(Design(relation_layers=0, module=SWINTRACK)),
}
every_design = pytest.mark.parametrize("geometry", DESIGNS.values(), ids=DESIGNS.keys())


def by_stage(products: list[Product]) -> Counter[str]:
    found: Counter[str] = Counter()
    for product in products:
        found[product.stage] += product.macs
    return found


@every_design
def test_savings_lead_from_every_matmul_to_what_is_executed(geometry: NetworkGeometry) -> None:
    saved = savings(geometry)
    left = total(published_products(geometry)) - sum(saving.macs for saving in saved)
    assert left == total(search_graph_products(geometry))
    assert [s.item for s in saved if s.macs < 0 and not s.item.startswith("added")] == []


@every_design
def test_every_product_belongs_to_a_stage(geometry: NetworkGeometry) -> None:
    for products in (published_products, search_graph_products, template_graph_products):
        assert set(by_stage(products(geometry))) <= set(stages(geometry))


@every_design
def test_every_matmul_is_what_torch_counts_in_the_network(geometry: NetworkGeometry) -> None:
    torch = pytest.importorskip("torch", reason="counting the PyTorch network needs PyTorch")
    from ostrack_edge.export.load import untrained_network
    from torch.utils.flop_counter import FlopCounterMode

    network = untrained_network(geometry).requires_grad_(False)
    pictures = [torch.zeros(1, 3, size, size) for size in (geometry.template_size, geometry.search_size)]
    mask = torch.ones(1, geometry.template_token_count, dtype=torch.bool)
    with FlopCounterMode(display=False) as counter:
        network(*pictures, mask)
    counted = {name.removeprefix("OSTrack."): sum(c.values()) / 2 for name, c in counter.get_flop_counts().items()}
    planned = by_stage(published_products(geometry))
    assert counted["backbone.patch_embed"] == planned[PATCHES]
    assert counted["box_head"] == planned[HEAD]
    assert counted.get("relation", 0) == planned["relation"]
    for i in range(geometry.depth):
        assert counted[f"backbone.blocks.{i}.attn"] + counted[f"backbone.blocks.{i}.mlp"] == planned[f"block {i}"]


@pytest.mark.parametrize(
    "name",
    ["relative", "extra relation", "two relation layers", "one relation layer that drops", "STARK-aligned",
     "SwinTrack-aligned"],
)  # fmt: skip
def test_executed_is_what_the_exported_graphs_hold(name: str) -> None:
    pytest.importorskip("torch", reason="exporting needs PyTorch")
    from ostrack_edge.export.count import count_macs
    from ostrack_edge.export.load import untrained_network
    from ostrack_edge.export.trace import trace_search, trace_template

    geometry = DESIGNS[name]
    network = untrained_network(geometry)
    graphs = (
        (trace_template(network, ColorOrder.BGR, 1), template_graph_products(geometry)),
        (trace_search(network, ColorOrder.BGR, 1, False), search_graph_products(geometry)),
    )
    for graph, products in graphs:
        counted: Counter[str] = Counter()
        for node in count_macs(graph):
            counted[stage_of(node.stage)] += node.macs
        assert counted == by_stage(products)


@pytest.mark.parametrize(("name", "blocks"), [("ostrack-256-n6", 6), ("ostrack-256-n3", 9), ("stark-aligned-256", 12)])
def test_the_templates_blocks_fall_due_once_per_target(name: str, blocks: int) -> None:
    report = count_geometry(VARIANTS[name])
    t, c = 64, 768
    one = t * (4 * c * c + 2 * t * c + 2 * c * 4 * c)
    assert [s.template_graph for s in report.stages[1 : 1 + blocks]] == [one] * blocks
    saved = {saving.item: saving.macs for saving in report.savings}
    assert saved["template in the blocks that treat it apart, once per target"] == blocks * one
