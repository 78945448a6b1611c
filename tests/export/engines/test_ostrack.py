"""OSTrack-256 at full size: what the builder has to make of it for Ampere and Ada GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest
from ostrack_edge.export.engines.make import EnginePlan, make_engines
from ostrack_edge.export.engines.reports import read_reports
from ostrack_edge.export.engines.targets import parse_targets
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.manifest import GraphRole, Precision, Recipe


@pytest.mark.slow
def test_every_attention_is_fused_and_every_linear_in_its_type(clips: Path, tmp_path: Path) -> None:
    from ostrack_edge.export import build_bundle, published_geometry, untrained_network
    from ostrack_edge.export.precision.plan import Calibrating, PrecisionPlan

    network = untrained_network(published_geometry("ostrack-256"))
    calibrating = Calibrating((f"folders:{clips}",), (Recipe.LINEARS,), limit=24)
    folder = tmp_path / "bundle"
    build_bundle(network, folder, plan=PrecisionPlan(frozenset(Precision), calibrating), trained=False)
    make_engines(folder, EnginePlan(parse_targets("rtx:sm86,rtx:sm89"), require_fused=True))
    reports = [(e, r) for e, r in read_reports(Bundle.open(folder), True) if e.role is GraphRole.SEARCH]
    assert len(reports) == 4
    for engine, report in reports:
        assert (report.fused, len(report.attentions)) == (12, 12)
        assert {linear.dtype for linear in report.linears} == {str(engine.precision).upper()}
        assert len(report.linears) == 49  # the last block's queries are of other tokens than its keys and values
        assert not report.casts
