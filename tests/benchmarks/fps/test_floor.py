from __future__ import annotations

import pytest
from ostrack_edge.benchmarks.fps.floor import block_shapes, floor_ms, make_floor
from ostrack_edge.benchmarks.fps.protocol import Shape
from ostrack_edge.benchmarks.macs.plan import search_graph_products, total
from ostrack_edge.export.variants import published_geometry

GEOMETRY = published_geometry("ostrack-256")


def test_shapes_are_the_blocks_linears() -> None:
    shapes = {(s.rows, s.inner, s.columns): s.times for s in block_shapes(GEOMETRY)}
    assert shapes[(320, 768, 2304)] == 4
    assert shapes[(320, 768, 768)] == 3
    assert shapes[(244, 768, 3072)] == 3
    assert shapes[(89, 768, 768)] == 2  # the last block's queries and its projection
    assert shapes[(153, 768, 1536)] == 1
    assert (256, 768, 768) not in shapes  # the patch embedding is no Linear of a block
    linears = sum(s.macs for s in block_shapes(GEOMETRY))
    assert 0.8 < linears / total(search_graph_products(GEOMETRY)) < 1


def test_the_best_library_counts_shape_by_shape_and_the_rest_runs_at_that_rate() -> None:
    shapes = [Shape(10, 10, 10, 2), Shape(10, 10, 20, 1)]
    # 4000 multiply-adds in 2 * 1 + 4 ms; 6000 executed ones take half as long again.
    assert floor_ms(shapes, [[1.0, 9.0], [3.0, 4.0]], 6000) == pytest.approx(9.0)


def test_rounds_and_rates() -> None:
    shapes = block_shapes(GEOMETRY)
    fast, slow = [1.0] * len(shapes), [2.0] * len(shapes)
    floor = make_floor(
        GEOMETRY, [{"a": fast, "b": slow}, {"a": slow, "b": slow}, {"a": fast, "b": slow}], {"a": "1", "b": "2"}
    )
    linears, executed = sum(s.macs for s in shapes), total(search_graph_products(GEOMETRY))
    products = sum(s.times for s in shapes)
    assert floor.ms == pytest.approx(products * executed / linears)
    assert floor.round_ms[1] == pytest.approx(2 * floor.ms)
    assert floor.gflops == pytest.approx(2 * linears / products / 1e6)
    assert [lib.gflops for lib in floor.libraries] == pytest.approx([floor.gflops, floor.gflops / 2])
    assert {s.library for s in floor.shapes} == {"a"}
