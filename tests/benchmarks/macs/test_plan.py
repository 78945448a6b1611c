from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from ostrack_edge.benchmarks.macs.count import stage_of
from ostrack_edge.benchmarks.macs.plan import (
    HEAD,
    PATCHES,
    Kind,
    blocks,
    final_tokens,
    published_products,
    savings,
    search_graph_products,
    stages,
    template_graph_products,
    total,
)
from ostrack_edge.export.variants import published_geometry
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry, TemplateTokens

SMALL = NetworkGeometry("small", 80, 128, 2.0, 4.0, 96, 5, 3, 160, 24, (1, 3), (0.7, 0.6))

ODD = {
    "as published": SMALL,
    "nothing dropped": dataclasses.replace(SMALL, keep_ratios=(1.0, 1.0)),
    "no stage at all": dataclasses.replace(SMALL, elimination_blocks=(), keep_ratios=()),
    "first block": dataclasses.replace(SMALL, elimination_blocks=(0,), keep_ratios=(0.5,)),
    "last block": dataclasses.replace(SMALL, elimination_blocks=(4,), keep_ratios=(0.5,)),
    "first and last block": dataclasses.replace(SMALL, elimination_blocks=(0, 4), keep_ratios=(0.9, 0.3)),
    "only block": dataclasses.replace(SMALL, depth=1, elimination_blocks=(0,), keep_ratios=(0.5,)),
    "ratio 1 at one stage": dataclasses.replace(SMALL, keep_ratios=(1.0, 0.6)),
    "every block": dataclasses.replace(SMALL, elimination_blocks=(0, 1, 2, 3, 4), keep_ratios=(0.9,) * 5),
}


@pytest.mark.parametrize("tokens", list(TemplateTokens))
@pytest.mark.parametrize("geometry", ODD.values(), ids=ODD.keys())
def test_savings_lead_from_every_matmul_to_what_is_executed(geometry: NetworkGeometry, tokens: TemplateTokens) -> None:
    geometry = dataclasses.replace(geometry, template_tokens=tokens)
    saved = sum(saving.macs for saving in savings(geometry))
    assert total(published_products(geometry)) - saved == total(search_graph_products(geometry))


@pytest.mark.parametrize("geometry", ODD.values(), ids=ODD.keys())
def test_every_product_belongs_to_a_stage(geometry: NetworkGeometry) -> None:
    known = stages(geometry)
    assert known == [PATCHES, *(f"block {i}" for i in range(geometry.depth)), HEAD]
    for products in (published_products, search_graph_products, template_graph_products):
        assert {p.stage for p in products(geometry)} <= set(known)


def test_tokens_at_the_published_blocks() -> None:
    walk = [(b.entering, b.kept) for b in blocks(published_geometry("ostrack-256"))]
    assert walk == [(256, 256)] * 3 + [(256, 180)] + [(180, 180)] * 2 + [(180, 126)] + [(126, 126)] * 2 + [
        (126, 89),
        (89, 89),
        (89, 89),
    ]
    assert final_tokens(published_geometry("ostrack-256", keep_ratio=1.0)) == 256


def test_the_last_block_asks_no_template_queries() -> None:
    last = {p.part: p for p in search_graph_products(published_geometry("ostrack-256")) if p.stage == "block 11"}
    assert (last["q"].rows, last["kv"].rows, last["mlp in"].rows) == (89, 64 + 89, 89)


def test_dropped_tokens_get_keys_and_values_and_nothing_else() -> None:
    third = {p.part: p for p in search_graph_products(published_geometry("ostrack-256")) if p.stage == "block 3"}
    assert third["qkv"].rows == 64 + 256
    assert {third[part].rows for part in ("scores", "values", "projection", "mlp in", "mlp out")} == {64 + 180}
    assert third["ranking rows"].rows == 1


@pytest.mark.parametrize(("tokens", "rows"), [("centre-2x2", 4), ("centre-4x4", 16), ("all", 64), ("box", 64)])
def test_ranking_costs_one_attention_row_per_ranking_token(tokens: str, rows: int) -> None:
    products = search_graph_products(published_geometry("ostrack-256", template_tokens=tokens))
    ranking = [p for p in products if p.kind is Kind.RANKING and p.stage == "block 6"]
    assert ranking[0].macs == rows * (64 + 180) * 768
    assert sum(p.macs for p in ranking[1:]) == (12 * 64 * 180 if tokens == "box" else 0)


@pytest.mark.parametrize("geometry", ODD.values(), ids=ODD.keys())
def test_every_matmul_is_what_torch_counts_in_the_published_network(geometry: NetworkGeometry) -> None:
    torch = pytest.importorskip("torch", reason="counting the PyTorch network needs PyTorch")
    from ostrack_edge.export.load import untrained_network
    from torch.utils.flop_counter import FlopCounterMode

    network = untrained_network(geometry)
    pictures = [torch.zeros(1, 3, size, size) for size in (geometry.template_size, geometry.search_size)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*pictures)
    # By module: averaging the ranking rows is a product in our elimination, and none in the published one.
    counted = {name.removeprefix("OSTrack."): sum(c.values()) / 2 for name, c in counter.get_flop_counts().items()}
    planned = Counter()
    for product in published_products(geometry):
        planned[product.stage] += product.macs
    assert counted["backbone.patch_embed"] == planned[PATCHES]
    assert counted["box_head"] == planned[HEAD]
    for i in range(geometry.depth):
        assert counted[f"backbone.blocks.{i}.attn"] + counted[f"backbone.blocks.{i}.mlp"] == planned[f"block {i}"]


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("nothing dropped", TemplateTokens.CENTRE), ("first and last block", TemplateTokens.BOX)],
)
def test_executed_is_what_the_exported_graph_holds(name: str, tokens: TemplateTokens) -> None:
    pytest.importorskip("torch", reason="exporting needs PyTorch")
    from ostrack_edge.export.count import count_macs
    from ostrack_edge.export.load import untrained_network
    from ostrack_edge.export.trace import trace_search

    geometry = dataclasses.replace(ODD[name], template_tokens=tokens)
    counted, planned = Counter(), Counter()
    for node in count_macs(trace_search(untrained_network(geometry), ColorOrder.BGR, 1, False)):
        counted[stage_of(node.stage)] += node.macs
    for product in search_graph_products(geometry):
        planned[product.stage] += product.macs
    assert counted == planned
