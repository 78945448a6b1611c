"""Engines and their fusion reports, as tables for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ...runtime.bundle import Bundle
from ...runtime.manifest import EngineFile, to_json
from ..show import named
from .flavours import NAMES
from .fusion import FusionReport, LinearType
from .make import MadeEngine


def print_made(console: Console, made: Sequence[MadeEngine]) -> None:
    """What was built, how large it is and how long it took."""
    table = _table("library", "seconds")
    for engine in made:
        table.add_row(*_row(engine.file), _library(engine.file), f"{engine.seconds:.1f}")
    console.print(table)


def print_engines(console: Console, bundle: Bundle, reports: Sequence[tuple[EngineFile, FusionReport]]) -> None:
    """The bundle's engines, and what the builder made of each block."""
    if not reports:
        console.print(f"{bundle.folder} holds no engines; build some with: ostrack-export engines", soft_wrap=True)
        return
    table = _table("fused", "Linears", "casts", "moves", "kernels")
    for engine, report in reports:
        fused = f"{report.fused} of {len(report.attentions)}" if report.attentions else ""
        linears = ", ".join(f"{count} {dtype}" for dtype, count in _counts(report.linears).items())
        table.add_row(*_row(engine), fused, linears, *map(str, (len(report.casts), len(report.moves), report.kernels)))
    console.print(table)
    for engine, report in reports:
        if report.attentions or report.linears:
            console.print(
                f"\n{engine.role} {named(engine)} for {engine.flavour}:{engine.target}, batch {engine.batch}, by "
                f"{_library(engine)}"
            )
            console.print(_blocks(report))


def report_json(engine: EngineFile, report: FusionReport) -> Any:
    """One engine and its report."""
    return {"engine": to_json(engine), "fused": report.fused, "report": to_json(report)}


def _table(*more: str) -> Table:
    return Table("engine", "precision", "target", "batch", "MiB", *more, box=None, padding=(0, 2))


def _row(engine: EngineFile) -> tuple[str, ...]:
    return (
        str(engine.role),
        named(engine),
        f"{engine.flavour}:{engine.target}",
        str(engine.batch),
        f"{engine.bytes / 2**20:.1f}",
    )


def _library(engine: EngineFile) -> str:
    return f"{NAMES[engine.flavour]} {engine.version}"


def _blocks(report: FusionReport) -> Table:
    table = Table("block", "attention", "Linears", box=None, padding=(0, 2))
    linears: dict[str, list[LinearType]] = {attention.block: [] for attention in report.attentions}
    for linear in report.linears:
        linears.setdefault(linear.block, []).append(linear)
    attentions = {attention.block: attention for attention in report.attentions}
    for block, found in linears.items():
        attention = attentions.get(block)
        words = "" if attention is None else f"fused, {attention.dtype}" if attention.fused else "not fused"
        table.add_row(block, words, _by_type(block, found))
    return table


def _by_type(block: str, linears: Sequence[LinearType]) -> str:
    types: dict[str, list[str]] = {}
    for linear in linears:
        types.setdefault(linear.dtype, []).append(linear.module.removeprefix(f"{block}."))
    return "; ".join(f"{', '.join(names)}: {dtype}" for dtype, names in types.items())


def _counts(linears: Sequence[LinearType]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for linear in linears:
        counts[linear.dtype] = counts.get(linear.dtype, 0) + 1
    return counts
