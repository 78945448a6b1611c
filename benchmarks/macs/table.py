"""The multiply-adds as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from ...runtime.network import NetworkGeometry
from .count import KeepRatioMacs, MacsReport, StageMacs

NOTES = (
    "published: the paper's counter on modules (Linear, convolution, norm; attention's two matrix products left out)",
    "every matmul: all matrix products and convolutions of the published network (torch FlopCounterMode / 2)",
    "executed: by the exported graphs; 'per target' is the template graph, 'per frame' the search graph",
)


def giga(macs: int) -> str:
    """Multiply-adds in G with three decimals."""
    return f"{macs / 1e9:.3f}"


def describe(geometry: NetworkGeometry) -> str:
    """One line on where a network drops candidates."""
    if not geometry.eliminations:
        dropping = "no candidate is dropped"
    else:
        places = ", ".join(map(str, geometry.eliminations))
        dropping = f"keeps {', '.join(map(str, geometry.kept_counts))} of {geometry.search_token_count} search tokens "
        dropping += f"after block {places}, ranked by template tokens '{geometry.template_tokens}'"
    design = f"{geometry.design.in_words}; " if geometry.design.in_words else ""
    crops = f"template {geometry.template_size}, search {geometry.search_size} pixels"
    return f"{geometry.variant}: {crops}; {design}{dropping}"


def print_macs(report: MacsReport, console: Console) -> None:
    console.print(describe(report.network), style="bold", soft_wrap=True)
    table = _table("GMAC", "published", "every matmul", "executed\nper frame", "executed\nper target")
    for stage in report.stages:
        table.add_row(stage.stage, *_figures(stage))
    table.add_section()
    table.add_row("total", *_figures(report.total), style="bold")
    console.print(table)
    console.print()
    items = _table("from every matmul to executed, GMAC", "")
    items.add_row("every matmul", giga(report.total.every_matmul))
    for saving in report.savings:
        items.add_row(saving.item, f"{-saving.macs / 1e9:+.3f}")
    items.add_section()
    items.add_row("executed per frame", giga(report.total.search_graph), style="bold")
    console.print(items)
    console.print()
    for note in (*NOTES, f"executed figures: {report.counted}"):
        console.print(note, style="dim", soft_wrap=True)


def print_keep_ratios(rows: Sequence[KeepRatioMacs], console: Console) -> None:
    """The supplementary's table; the paper's column only where the paper has the network."""
    paper = any(row.paper_g is not None for row in rows)
    columns = ["paper", "published"] if paper else ["published"]
    table = _table("keep ratio", "tokens kept", *columns, "every matmul", "executed\nper frame")
    for row in rows:
        figures = [giga(row.total.published), giga(row.total.every_matmul), giga(row.total.search_graph)]
        if paper:
            figures.insert(0, f"{row.paper_g:.1f}" if row.paper_g is not None else "")
        table.add_row(f"{row.keep_ratio:g}", ", ".join(map(str, row.kept)) or "all", *figures)
    console.print()
    console.print("GMAC by keep ratio", style="bold")
    console.print(table)


def _figures(stage: StageMacs) -> list[str]:
    target = giga(stage.template_graph) if stage.template_graph else ""
    return [giga(stage.published), giga(stage.every_matmul), giga(stage.search_graph), target]


def _table(first: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table
