"""Multiply-adds of a network, counted three ways, per stage and in total.

published: the paper's convention, a counter on modules: Linear, convolution and norm layers, without the two matrix
products of the attention. every matmul: all matrix products and convolutions of the published network, as
torch.utils.flop_counter sees them (its FLOPs / 2), without norms. executed: what the exported search graph computes for
every frame; the template graph's share falls due once per target.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...export.variants import VARIANTS
from ...runtime.bundle import Bundle
from ...runtime.errors import BenchmarkError
from ...runtime.manifest import GraphFile, GraphRole, Precision
from ...runtime.network import NetworkGeometry
from .plan import (
    Saving,
    published_norms,
    published_products,
    savings,
    search_graph_products,
    stages,
    template_graph_products,
)
from .products import NORM_OPERATIONS, PATCHES, Kind, Product, total

if TYPE_CHECKING:
    from ...export.count import NodeMacs

KEEP_RATIOS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Of the paper's supplementary."""

PAPER_NETWORK = VARIANTS["ostrack-256"]
PAPER_G = (29.0, 26.2, 23.6, 21.5, 19.6, 18.0)
"""What the paper prints for PAPER_NETWORK at KEEP_RATIOS, in G."""


@dataclass(frozen=True)
class StageMacs:
    """Multiply-adds of one stage for one sample; `template_graph` falls due once per target, the others every frame."""

    stage: str
    published: int
    every_matmul: int
    search_graph: int
    template_graph: int


@dataclass(frozen=True)
class MacsReport:
    """`total` sums the stages; `savings` leads from every matmul to the search graph; `counted` says where the executed
    figures come from."""

    network: NetworkGeometry
    stages: tuple[StageMacs, ...]
    total: StageMacs
    savings: tuple[Saving, ...]
    counted: str


@dataclass(frozen=True)
class KeepRatioMacs:
    """The totals at one keep ratio; `paper_g` is the paper's printed figure in G, where it has one for this network."""

    keep_ratio: float
    kept: tuple[int, ...]
    paper_g: float | None
    total: StageMacs


def count_geometry(geometry: NetworkGeometry) -> MacsReport:
    """Everything from the geometry alone."""
    published, search = published_products(geometry), search_graph_products(geometry)
    template, norms = template_graph_products(geometry), published_norms(geometry)
    found = []
    for stage in stages(geometry):
        counted = total(p for p in published if p.stage == stage and p.kind not in (Kind.ATTENTION, Kind.POSITION))
        counted += NORM_OPERATIONS * sum(n.elements for n in norms if n.stage == stage)
        found.append(StageMacs(stage, counted, _of(published, stage), _of(search, stage), _of(template, stage)))
    return MacsReport(geometry, tuple(found), _total(found), tuple(savings(geometry)), "from the network's geometry")


def count_bundle(folder: Path) -> MacsReport:
    """As `count_geometry`, with the bundle's graphs counted too.

    Raises BundleError, or BenchmarkError where a graph does not execute what its geometry says.
    """
    bundle = Bundle.open(folder)
    report = count_geometry(bundle.manifest.network)
    count = _counter()
    # Other precisions are made from these graphs and do the same products.
    files = [file for file in bundle.manifest.graphs if file.precision is Precision.FP32]
    for file in files:
        check_file(bundle, file, report, count)
    if count is None:
        counted = "from the manifest; to count the ONNX files install onnx: pip install 'ostrack-edge[export]'"
    else:
        counted = "counted from the ONNX files: " + ", ".join(file.path for file in files)
    return dataclasses.replace(report, counted=counted)


def check_file(
    bundle: Bundle, file: GraphFile, report: MacsReport, count: Callable[[Path], Iterable[NodeMacs]] | None
) -> None:
    """Hold a graph's multiply-adds, counted by `count` or else the manifest's, against the plan's: stage by stage where
    they were counted. Raises BenchmarkError."""
    search = file.role is GraphRole.SEARCH
    planned = {s.stage: s.search_graph if search else s.template_graph for s in report.stages}
    if count is None:
        found, planned = {"in all": file.macs}, {"in all": sum(planned.values())}
    else:
        found = dict.fromkeys(planned, 0)
        for node in count(bundle.path(file)):
            stage = stage_of(node.stage)
            found[stage] = found.get(stage, 0) + node.macs
    different = [
        f"{s}: {macs} instead of {planned.get(s, 0)}" for s, macs in found.items() if macs != planned.get(s, 0)
    ]
    if different:
        raise BenchmarkError(
            f"{bundle.path(file)} executes other multiply-adds than its geometry makes ({'; '.join(different)}); "
            "build the bundle again with this version"
        )


def stage_of(node_stage: str) -> str:
    """The plan's name of a stage from that of the exported graphs' nodes (`embed`, `blocks.3`, `head`)."""
    return PATCHES if node_stage == "embed" else node_stage.replace("blocks.", "block ")


def count_keep_ratios(geometry: NetworkGeometry) -> list[KeepRatioMacs]:
    """The supplementary's table: the same blocks with one keep ratio after the other."""
    paper = dict(zip(KEEP_RATIOS, PAPER_G, strict=True)) if _is_papers(geometry) else {}
    found = []
    for ratio in KEEP_RATIOS:
        ratios = (ratio,) * len(geometry.elimination_blocks)
        counted = count_geometry(dataclasses.replace(geometry, keep_ratios=ratios))
        found.append(KeepRatioMacs(ratio, counted.network.kept_counts, paper.get(ratio), counted.total))
    return found


def _is_papers(geometry: NetworkGeometry) -> bool:
    """Whether the paper prints figures for this network; they do not depend on which template tokens rank."""
    defaults = {"keep_ratios": PAPER_NETWORK.keep_ratios, "template_tokens": PAPER_NETWORK.template_tokens}
    same_blocks = geometry.elimination_blocks == PAPER_NETWORK.elimination_blocks
    return same_blocks and dataclasses.replace(geometry, **defaults) == PAPER_NETWORK


def _counter() -> Callable[[Path], Iterable[NodeMacs]] | None:
    try:
        import onnx  # noqa: F401
    except ImportError:
        return None
    from ...export.count import count_macs

    return count_macs


def _of(products: Iterable[Product], stage: str) -> int:
    return total(p for p in products if p.stage == stage)


def _total(found: Iterable[StageMacs]) -> StageMacs:
    rows = [dataclasses.astuple(stage)[1:] for stage in found]
    return StageMacs("total", *(sum(column) for column in zip(*rows, strict=True)))
