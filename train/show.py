"""Presets and scores as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..runtime.manifest import to_json
from .held_back import Row
from .presets import Preset


def print_presets(presets: Mapping[str, Preset], console: Console) -> None:
    table = Table("preset", "what it is", "crops", "pairs", "learning rate", "starts from", box=box.SIMPLE)
    for name, preset in presets.items():
        how, geometry = preset.recipe.optimisation, preset.geometry
        table.add_row(
            name,
            preset.summary,
            f"{geometry.template_size}, {geometry.search_size}" if geometry else "as trained",
            f"{how.epochs:g} x {how.pairs_per_epoch:,}",
            f"{how.learning_rate:g}, {how.optimizer}",
            "--init" if preset.pretrained else "nothing",
        )
    console.print(table)


def print_preset(preset: Preset, console: Console) -> None:
    """Every choice of a preset, a line each."""
    console.print(preset.summary, style="bold")
    if preset.geometry is None:
        console.print("network: that of --init")
    else:
        _print_fields("network", to_json(preset.geometry), console)
    _print_fields("recipe", to_json(preset.recipe), console)


def print_rows(rows: Sequence[Row], console: Console) -> None:
    table = Table(box=box.SIMPLE)
    for heading in ("keep ratio", "tokens kept", "AUC", "mean IoU", "centre within half a cell"):
        table.add_column(heading, justify="right")
    for row in rows:
        scores = row.scores
        kept = ", ".join(map(str, row.kept)) or "all"
        table.add_row(
            f"{row.keep_ratio:g}", kept, f"{scores.auc:.3f}", f"{scores.mean_iou:.3f}", f"{scores.precise:.1%}"
        )
    console.print(table)


def _print_fields(where: str, value: Any, console: Console) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _print_fields(f"{where}.{name}", inner, console)
    else:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        console.print(f"  {where.partition('.')[2] or where} {shown}", soft_wrap=True)
