"""Agreement over the sequences of a data set, one by one and all together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ..datasets.sequence import Frames
from .agreement import AgreementReport


@dataclass(frozen=True, eq=False)
class NamedFrames:
    """A sequence's frames as footage."""

    path: Path
    frames: Frames

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.frames)


@dataclass(frozen=True)
class AgreementTotal:
    """`mean_iou` and `same_cell` from the same state, over all `updates` alike; `sequences` by name."""

    name: str
    against: str
    updates: int
    mean_iou: float
    worst_iou: float
    same_cell: float
    sequences: dict[str, AgreementReport]


def total_of(reports: Mapping[str, AgreementReport]) -> AgreementTotal:
    """All reports, of the same two sides, in one."""
    frames = [frame for report in reports.values() for frame in report.frames]
    first = next(iter(reports.values()))
    return AgreementTotal(
        first.name,
        first.against,
        len(frames),
        float(np.mean([f.iou for f in frames])),
        min(f.iou for f in frames),
        float(np.mean([f.same_cell for f in frames])),
        dict(reports),
    )


def print_total(console: Console, total: AgreementTotal) -> None:
    """A row per sequence, and the last for all."""
    console.print(f"{total.name} against {total.against}, from the same state frame by frame")
    table = Table("sequence", "updates", "mean IoU", "worst", "same cell, %", box=None, padding=(0, 2))
    for name, report in total.sequences.items():
        row = (len(report.frames), report.mean_iou, report.worst_iou, report.same_cell)
        table.add_row(name, *_cells(*row))
    table.add_row("all", *_cells(total.updates, total.mean_iou, total.worst_iou, total.same_cell), style="bold")
    console.print(table)


def _cells(updates: int, mean: float, worst: float, same: float) -> tuple[str, str, str, str]:
    return str(updates), f"{mean:.4f}", f"{worst:.4f}", f"{100 * same:.1f}"
