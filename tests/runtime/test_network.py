from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ostrack_edge.export.variants import Elimination, published_geometry
from ostrack_edge.runtime.errors import GeometryError
from ostrack_edge.runtime.network import NetworkGeometry, TemplateTokens

BASE = published_geometry("ostrack-256")


@pytest.mark.parametrize(("variant", "counts"), [("ostrack-256", (180, 126, 89)), ("ostrack-384", (404, 283, 199))])
def test_kept_counts_at_the_published_ratio(variant: str, counts: tuple[int, ...]) -> None:
    assert published_geometry(variant).kept_counts == counts


def test_a_ratio_of_one_drops_nothing_and_is_no_stage() -> None:
    geometry = published_geometry("ostrack-256", keep_ratio=(0.5, 1.0, 0.5))
    assert geometry.stage_token_counts == (128, 128, 64)
    assert geometry.eliminations == {3: 128, 9: 64}
    assert published_geometry("ostrack-256", keep_ratio=1).kept_counts == ()


def test_ranking_tokens_of_each_choice() -> None:
    def rows(tokens: str, size: int = 128) -> tuple[int, ...]:
        return dataclasses.replace(BASE, template_tokens=TemplateTokens(tokens), template_size=size).ranking_rows

    assert rows("centre") == (3 * 8 + 3,)
    assert rows("centre", 192) == (5 * 12 + 5,)
    assert rows("centre", 112) == (3 * 7 + 3,)
    assert rows("centre-2x2") == (27, 28, 35, 36)
    assert rows("centre-4x4") == tuple(8 * y + x for y in range(2, 6) for x in range(2, 6))
    assert rows("all") == tuple(range(64))
    assert rows("box") == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"template_size": 100}, "multiple of 16"),
        ({"search_size": 0}, "multiple of 16"),
        ({"heads": 7}, "7 attention heads"),
        ({"head_width": 20}, "multiple of 8"),
        ({"keep_ratios": (0.7, 0.7)}, "2 keep ratios for 3"),
        ({"keep_ratios": (0.7, 0.0, 0.7)}, "outside"),
        ({"keep_ratios": (0.7, 1.01, 0.7)}, "outside"),
        ({"keep_ratios": (0.7, float("nan"), 0.7)}, "outside"),
        ({"elimination_blocks": (3, 6, 12)}, "0..11"),
        ({"elimination_blocks": (6, 3, 9)}, "must rise"),
        ({"elimination_blocks": (3, 3, 9)}, "must rise"),
        ({"template_size": 64, "template_tokens": TemplateTokens.CENTRE_4X4}, "'all'"),
        ({"template_size": 16, "template_tokens": TemplateTokens.CENTRE_2X2}, "2x2"),
    ],
)
def test_numbers_that_make_no_network_are_refused(change: dict, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        dataclasses.replace(BASE, **change)


def test_elimination_takes_one_ratio_or_one_per_stage_and_the_blocks_of_the_depth() -> None:
    assert Elimination().apply(12) == ((3, 6, 9), (0.7, 0.7, 0.7), TemplateTokens.CENTRE)
    assert Elimination().apply(24)[0] == (6, 12, 18)
    assert Elimination(keep_ratio=[0.5], blocks=[1, 2]).apply(12)[1] == (0.5, 0.5)
    assert Elimination(blocks=[]).apply(12)[:2] == ((), ())
    with pytest.raises(GeometryError, match="outside"):
        Elimination(keep_ratio=1.5, blocks=[]).apply(12)
    with pytest.raises(GeometryError, match="centre-2x2"):
        Elimination(template_tokens="middle").apply(12)


def test_stored_defaults_hold_until_something_is_said() -> None:
    stored = dataclasses.replace(BASE, keep_ratios=(0.9, 0.8, 0.7), template_tokens=TemplateTokens.ALL)
    assert Elimination().apply(12, stored) == ((3, 6, 9), (0.9, 0.8, 0.7), TemplateTokens.ALL)
    assert Elimination(blocks=[2]).apply(12, stored) == ((2,), (0.7,), TemplateTokens.ALL)


def test_unknown_variant_names_the_known_ones() -> None:
    with pytest.raises(GeometryError, match="ostrack-256, ostrack-384"):
        published_geometry("ostrack-512")


def test_geometry_is_frozen() -> None:
    geometry: NetworkGeometry = BASE
    with pytest.raises(dataclasses.FrozenInstanceError):
        geometry.width = 1  # type: ignore[misc]


def test_numbers_of_any_kind_are_taken_and_what_is_none_is_refused() -> None:
    ratio = np.float32(0.5)
    assert Elimination(keep_ratio=ratio, blocks=np.array([3, 6])).apply(12)[:2] == ((3, 6), (0.5, 0.5))  # type: ignore[arg-type]
    assert Elimination(keep_ratio=np.array([0.5, 0.6]), blocks=(3, 6)).apply(12)[1] == (0.5, 0.6)  # type: ignore[arg-type]
    for ratios in ("0.7", True, [0.7, "0.7"]):
        with pytest.raises(GeometryError, match="is no number"):
            Elimination(keep_ratio=ratios).apply(12)  # type: ignore[arg-type]
    for blocks in (3, [3.7], "369", [True]):
        with pytest.raises(GeometryError, match="whole numbers"):
            Elimination(blocks=blocks).apply(12)  # type: ignore[arg-type]
