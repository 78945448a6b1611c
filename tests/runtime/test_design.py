from __future__ import annotations

import dataclasses
import json

import pytest
from ostrack_edge.export.variants import VARIANTS
from ostrack_edge.runtime.design import PUBLISHED, Design, RelationKind, RelationModule
from ostrack_edge.runtime.errors import GeometryError
from ostrack_edge.runtime.manifest import from_json, to_json
from ostrack_edge.runtime.network import NetworkGeometry

BASE = VARIANTS["ostrack-256"]
MODULE = RelationModule(RelationKind.SWINTRACK, 4, 768, 12, 3072)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_a_design_survives_the_manifest(name: str) -> None:
    stored = json.loads(json.dumps(to_json(VARIANTS[name])))
    assert from_json(NetworkGeometry, stored) == VARIANTS[name]


def test_a_manifest_from_before_designs_is_the_published_one() -> None:
    stored = to_json(BASE)
    del stored["design"]
    assert from_json(NetworkGeometry, stored) == BASE
    assert BASE.design == PUBLISHED


@pytest.mark.parametrize(
    ("name", "separate", "blocks"),
    [
        ("ostrack-256", 0, (3, 6, 9)),
        ("ostrack-256-n6", 6, (6, 9)),
        ("ostrack-256-n3", 9, (9,)),
        ("stark-aligned-256", 12, ()),
        ("swintrack-aligned-256", 12, ()),
        ("ostrack-large-256", 0, (6, 12, 18)),
    ],
)
def test_candidates_are_dropped_where_the_template_looks_at_them(
    name: str, separate: int, blocks: tuple[int, ...]
) -> None:
    geometry = VARIANTS[name]
    assert (geometry.separate_blocks, geometry.elimination_blocks) == (separate, blocks)


@pytest.mark.parametrize(
    ("design", "changes", "words"),
    [
        (Design(relation_layers=6), {}, "block 3 treats template and search apart.*from block 6 on"),
        (Design(relation_layers=0, module=MODULE), {}, "drop none"),
        (Design(relation_layers=0), {"elimination_blocks": (), "keep_ratios": ()}, "nothing relates"),
        (Design(relation_layers=13), {}, "13 relation layers, and the network has 12"),
        (Design(module=dataclasses.replace(MODULE, width=384)), {}, "as wide as its backbone: 768, not 384"),
    ],
)
def test_what_makes_no_network_is_refused(design: Design, changes: dict, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        dataclasses.replace(BASE, design=design, **changes)


def test_a_module_that_divides_into_no_heads_is_refused() -> None:
    with pytest.raises(GeometryError, match="does not divide into 5"):
        dataclasses.replace(MODULE, heads=5)
    with pytest.raises(GeometryError, match="4 divides"):
        RelationModule(RelationKind.STARK, 6, 30, 5, 64)


def test_a_design_says_what_it_adds() -> None:
    assert PUBLISHED.in_words == ""
    assert Design(True, True, 6).in_words == "identity embeddings, relative positions, 6 relation layers"
    assert VARIANTS["stark-aligned-256"].design.in_words == "two streams, a stark module"
