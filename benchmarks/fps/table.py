"""The speeds as tables for people."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from ..machine import GIB
from ..macs.table import describe, giga
from ..sysfs import Clock, Conditions
from .floor import Floor
from .report import FpsReport
from .stats import Sustained


def print_fps(report: FpsReport, console: Console) -> None:
    console.print(describe(report.network), style="bold", soft_wrap=True)
    for line in (*_machine_lines(report), _protocol(report)):
        console.print(line, soft_wrap=True)
    console.print()
    for table in (_summary(report), _stages(report)):
        console.print(table)
        console.print()
    if report.floor:
        for line in _floor_lines(report.floor):
            console.print(line, soft_wrap=True)
    for row in report.rows:
        if row.sustained:
            console.print(_sustained_line(row.name, row.sustained), soft_wrap=True)
    for missing in report.missing:
        text = f"not measured: {missing.name}: {missing.reason}"
        console.print(text, style="yellow", soft_wrap=True)
    for line in _notes(report):
        console.print(line, style="dim", soft_wrap=True)


def _summary(report: FpsReport) -> Table:
    beside = _beside(report)
    columns = ["", "frames/s", "x\npytorch", *(["x\nbundle"] if beside else []), "x\nfloor"]
    table = _table(*columns, "load\ns", "first box\ns", "memory\nGiB")
    for row in report.rows:
        table.add_row(
            row.name,
            f"{row.frames_per_second:.2f}",
            _ratio(row.ratio_to_pytorch),
            *([_ratio(row.ratio_to_bundle)] if beside else []),
            _ratio(row.ratio_to_floor),
            f"{row.load_ms / 1e3:.2f}",
            f"{row.first_box_ms / 1e3:.2f}",
            f"{row.peak_bytes / GIB:.2f}",
        )
    if report.floor:
        table.add_section()
        table.add_row("floor", f"{1e3 / report.floor.ms:.2f}", "", *([""] if beside else []), _ratio(1.0), style="dim")
    return table


def _stages(report: FpsReport) -> Table:
    table = _table("milliseconds", "stage", "median", "p90", "p99")
    for row in report.rows:
        for i, stage in enumerate(row.stages):
            figures = (f"{ms:.2f}" for ms in (stage.median_ms, stage.p90_ms, stage.p99_ms))
            bold = "bold" if stage is row.whole else ""
            table.add_row("" if i else row.name, stage.stage, *figures, style=bold)
        table.add_section()
    return table


def _machine_lines(report: FpsReport) -> list[str]:
    machine = report.machine
    lines = [f"machine: {machine.sentence}"]
    if machine.jetson:
        jetson = machine.jetson
        lines.append(f"Jetson Linux {jetson.l4t or 'unknown'}, power mode {jetson.power_mode or 'unknown'}")
    lines.append("libraries: " + ", ".join(f"{name} {version}" for name, version in machine.libraries.items()))
    for when, conditions in (("before", report.before), ("after", report.after)):
        if conditions.clocks or conditions.temperatures:
            lines.append(f"{when}: {_conditions(conditions)}")
    return lines


def _conditions(conditions: Conditions) -> str:
    return ", ".join(
        [
            *(_clock(clock) for clock in conditions.clocks),
            *(f"{zone} {celsius:.1f} °C" for zone, celsius in conditions.temperatures.items()),
        ]
    )


def _clock(clock: Clock) -> str:
    most = f" of {clock.max_mhz:.0f}" if clock.max_mhz else ""
    governor = f" ({clock.governor})" if clock.governor else ""
    return f"{clock.unit} {clock.mhz:.0f}{most} MHz{governor}"


def _protocol(report: FpsReport) -> str:
    return (
        f"{report.footage}, {report.frame_width}x{report.frame_height}; rows take turns, each alone in its process: "
        f"{report.rounds} rounds of {report.warmup} warm-up and {report.frames} counted frames, "
        f"{report.threads} threads, the same crops for all"
    )


def _floor_lines(floor: Floor) -> list[str]:
    rates = ", ".join(f"{lib.library} {lib.gflops:.0f}" for lib in floor.libraries)
    return [
        f"floor: {floor.ms:.1f} ms = {giga(floor.executed_macs)} GMAC at {floor.gflops:.0f} GFLOP/s, the FP32 matrix "
        f"products of the blocks' Linears, each shape in the library that is best at it (alone: {rates} GFLOP/s)"
    ]


def _sustained_line(name: str, run: Sustained) -> str:
    return (
        f"sustained, {name}: {run.first:.2f} frames/s in the first fifth, {run.last:.2f} in the last "
        f"({run.last_to_first:.2f} x)"
    )


def _notes(report: FpsReport) -> list[str]:
    return [
        "x pytorch: times as fast as the published graph in PyTorch; x floor: times the floor's milliseconds",
        *(["x bundle: times as fast as the measured bundle on the same engine"] if _beside(report) else []),
        "each x: median over the rounds of the ratio within a round, which need not be that of two medians above",
        "load: imports, files and engine; first box: template and first search after that, compiling included; "
        "memory: the process's peak",
        *([f"weights of the PyTorch rows: {report.reference_weights}"] if _has_pytorch(report) else []),
    ]


def _has_pytorch(report: FpsReport) -> bool:
    return any(row.ratio_to_pytorch == 1.0 for row in report.rows)


def _beside(report: FpsReport) -> bool:
    return any(row.ratio_to_bundle for row in report.rows)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _table(first: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    return table
