from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.macs import count as count_module
from ostrack_edge.benchmarks.macs.count import KEEP_RATIOS, check_file, count_bundle, count_geometry, count_keep_ratios
from ostrack_edge.export.variants import published_geometry
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BenchmarkError
from ostrack_edge.runtime.manifest import MANIFEST_NAME, GraphRole

MODULE_COUNTER_G = {
    "ostrack-256": (29.050, 26.214, 23.668, 21.517, 19.640, 18.017),
    "ostrack-384": (65.363, 58.947, 53.230, 48.358, 44.133, 40.539),
}
EVERY_MATMUL_G = {
    "ostrack-256": (30.912, 27.757, 24.967, 22.640, 20.628, 18.904),
    "ostrack-384": (74.859, 66.815, 59.861, 54.085, 49.179, 45.074),
}


@pytest.mark.parametrize("variant", ["ostrack-256", "ostrack-384"])
def test_figures_of_the_published_code(variant: str) -> None:
    for i, row in enumerate(count_keep_ratios(published_geometry(variant))):
        assert row.keep_ratio == KEEP_RATIOS[i]
        assert row.total.published / 1e9 == pytest.approx(MODULE_COUNTER_G[variant][i], abs=6e-4)
        assert row.total.every_matmul / 1e9 == pytest.approx(EVERY_MATMUL_G[variant][i], abs=6e-4)
        assert row.total.search_graph < row.total.every_matmul


def test_figures_that_the_paper_prints() -> None:
    rows = count_keep_ratios(published_geometry("ostrack-256", keep_ratio=0.9, template_tokens="all"))
    assert [row.paper_g for row in rows] == [29.0, 26.2, 23.6, 21.5, 19.6, 18.0]
    for row in rows:
        assert row.total.published / 1e9 == pytest.approx(row.paper_g, abs=0.1)
    assert [row.kept for row in rows][3] == (180, 126, 89)
    assert rows[0].kept == ()


def test_the_paper_has_no_figure_for_another_network() -> None:
    geometry = published_geometry("ostrack-256")
    smaller = dataclasses.replace(geometry, width=384, heads=6, mlp_width=1536)
    elsewhere = published_geometry("ostrack-256", elimination_blocks=(2, 5, 8))
    without = dataclasses.replace(geometry, elimination_blocks=(), keep_ratios=())
    for other in (smaller, elsewhere, without, published_geometry("ostrack-384")):
        assert all(row.paper_g is None for row in count_keep_ratios(other))


def test_stages_sum_to_the_total() -> None:
    report = count_geometry(published_geometry("ostrack-256"))
    assert [s.stage for s in report.stages] == ["patch embedding", *(f"block {i}" for i in range(12)), "head"]
    for field in ("published", "every_matmul", "search_graph", "template_graph"):
        assert sum(getattr(s, field) for s in report.stages) == getattr(report.total, field) > 0


def test_the_bundles_graphs_execute_what_the_plan_says(tiny_bundle: Path) -> None:
    report = count_bundle(tiny_bundle)
    assert "search" in report.counted
    assert report.total == count_geometry(Bundle.open(tiny_bundle).manifest.network).total


def test_without_onnx_the_manifest_counts_and_the_report_says_so(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert "pip install" in count_bundle(tiny_bundle).counted


def test_a_manifest_with_other_multiply_adds_is_an_error(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "copy")
    path = tmp_path / "copy" / MANIFEST_NAME
    data = json.loads(path.read_text())
    for graph in data["graphs"]:
        graph["macs"] += graph["role"] == "search"
    path.write_text(json.dumps(data))
    monkeypatch.setattr(count_module, "_counter", lambda: None)
    with pytest.raises(BenchmarkError, match=r"search.* executes other multiply-adds .*build the bundle again"):
        count_bundle(tmp_path / "copy")


def test_a_graph_that_computes_more_names_the_stage(tiny_bundle: Path) -> None:
    from ostrack_edge.export.count import NodeMacs, count_macs

    bundle = Bundle.open(tiny_bundle)
    file = next(f for f in bundle.manifest.graphs if f.role is GraphRole.SEARCH)
    report = count_geometry(bundle.manifest.network)
    check_file(bundle, file, report, count_macs)
    extra = NodeMacs("blocks.2/extra", "MatMul", "blocks.2", 7)
    with pytest.raises(BenchmarkError, match=r"\(block 2: \d+ instead of \d+\)"):
        check_file(bundle, file, report, lambda path: [*count_macs(path), extra])
