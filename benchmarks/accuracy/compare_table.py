"""Comparisons as tables for people."""

from __future__ import annotations

from rich.console import Console

from ..bootstrap import Interval
from ..metrics import FIGURES
from .compare import Comparison, verdict
from .table import NOISE, make_table


def print_comparison(comparison: Comparison, console: Console) -> None:
    """One comparison: per sequence, in total, and in a sentence."""
    a, b = comparison.a_name, comparison.b_name
    title = FIGURES[comparison.figure].title
    console.print(f"{comparison.dataset}: {title} of {a} (A) less that of {b} (B)", style="bold", soft_wrap=True)
    console.print()
    table = make_table("", "frames", "A", "B", "A - B", "95 % interval", "")
    for row in comparison.sequences:
        table.add_row(row.sequence, str(row.frames), f"{row.a:.3f}", f"{row.b:.3f}", *_cells(row.interval))
    table.add_section()
    frames = str(sum(row.frames for row in comparison.sequences))
    means = f"{comparison.a:.3f}", f"{comparison.b:.3f}"
    table.add_row("mean, over frames", frames, *means, *_cells(comparison.over_frames), style="bold")
    table.add_row("mean, over sequences", frames, *means, *_cells(comparison.over_sequences), style="bold")
    console.print(table)
    console.print()
    console.print(verdict(comparison), style="bold", soft_wrap=True)
    for line in _notes(comparison):
        console.print(line, style="yellow" if NOISE in line else "dim", soft_wrap=True)


def _cells(interval: Interval) -> tuple[str, str, str]:
    mark = ("better" if interval.difference > 0 else "worse") if interval.differs else ""
    return f"{interval.difference:+.3f}", f"{interval.low:+.3f} .. {interval.high:+.3f}", mark


def _notes(comparison: Comparison) -> list[str]:
    lines = [f"{name}: {NOISE}" for name in comparison.noise]
    if comparison.left_out:
        lines.append(f"left out, as only one of them finished: {', '.join(comparison.left_out)}")
    if comparison.figure == "ao":
        lines.append("sequences weigh by their scored frames, as GOT-10k pools the frames of all")
    lines.append(
        "paired bootstrap; over frames: these sequences, other moments; over sequences: others of the same kind; "
        "better or worse is said only where the interval leaves out 0"
    )
    return lines
