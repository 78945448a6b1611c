"""The GPU's rows as a table for people."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from ..macs.table import describe
from .report import GpuReport, GpuRun


def print_gpu(run: GpuRun, console: Console) -> None:
    console.print(describe(run.network), style="bold", soft_wrap=True)
    gpu = f"{run.gpu.name} ({run.gpu.target})" if run.gpu else "no GPU"
    console.print(f"machine: {gpu}; {run.machine.sentence}", soft_wrap=True)
    console.print(
        f"{run.footage}; every row alone in its process, one after the other: {run.warmup} warm-up and {run.frames} "
        "counted frames, the same crops for all",
        soft_wrap=True,
    )
    if run.rows:
        console.print()
        console.print(_table(run))
        console.print(
            "ms per call, medians: engine on the GPU, frame from the picture to all boxes; targets/s: boxes of all "
            "targets; box px: worst difference to FP32 on this GPU, in the frame; kept: tokens in common with the "
            "stored answers",
            style="dim",
            soft_wrap=True,
        )
    reasons: dict[str, list[str]] = {}
    for missing in run.missing:
        reasons.setdefault(missing.reason, []).append(missing.name)
    for reason, names in reasons.items():
        console.print(f"not measured: {'; '.join(names)}: {reason}", style="yellow", soft_wrap=True)


def _table(run: GpuRun) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for column in ("engine\nms", "frame\nms", "p99\nms", "targets/s", "IoU with\nFP32", "box\npx", "kept\n%"):
        table.add_column(column, justify="right", no_wrap=True)
    batch = None
    for row in run.rows:
        if batch not in (None, row.row.batch):
            table.add_section()
        batch = row.row.batch
        table.add_row(row.name, *_figures(row))
    return table


def _figures(row: GpuReport) -> list[str]:
    engine, same, stored = row.stage("inference"), row.against_fp32, row.against_stored
    return [
        f"{engine.median_ms:.3f}" if engine else "-",
        f"{row.whole.median_ms:.3f}",
        f"{row.whole.p99_ms:.3f}",
        f"{row.targets_per_second:.1f}",
        f"{same.mean_iou:.4f}" if same else "-",
        f"{same.box_px:.2f}" if same else "-",
        f"{100 * stored.kept:.1f}" if stored else "-",
    ]
