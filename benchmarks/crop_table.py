"""Crop times as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from .crop import FACTOR, SIZE, CropTime
from .machine import read_machine


def print_crops(times: Sequence[CropTime], width: int, height: int, console: Console) -> None:
    """One line per size of the box."""
    machine = read_machine()
    console.print(f"machine: {machine.cpu}, {machine.cores} cores")
    console.print(f"frame of {width} x {height} pixels, search region of factor {FACTOR:g}, resized to {SIZE}")
    table = Table("box", "median ms", "slowest ms", "published way, ms", box=box.SIMPLE_HEAD, show_edge=False)
    for time in times:
        size = f"{time.box_width} x {time.box_height}"
        table.add_row(size, f"{time.median_ms:.2f}", f"{time.slowest_ms:.2f}", f"{time.published_ms:.2f}")
    console.print(table)
