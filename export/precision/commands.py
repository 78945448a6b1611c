"""`ostrack-export sensitivity`: its options, read and handed on."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..._command import bundle_or_default, console
from ...calib.clipping import RangeMethod
from ...calib.specs import SPECS
from ...runtime.bundle import Bundle
from ...runtime.errors import InputError, MissingExtraError
from ...runtime.extras import installed
from ...runtime.files import check_place, whole_or_nothing
from ...runtime.manifest import Recipe
from ..show import steps
from .plan import Calibrating


class Part(str, Enum):
    """What is put into INT8 at a time."""

    LINEAR = "linear"
    BLOCK = "block"


def sensitivity(
    bundle: Annotated[
        Path | None, typer.Argument(help="Folder of the bundle; the default model's if left out.", show_default=False)
    ] = None,
    calibration: Annotated[
        list[str] | None, typer.Option(metavar="FOOTAGE", help=f"{SPECS}, or a file of crops; may be repeated.")
    ] = None,
    by: Annotated[Part, typer.Option(help="What is put into INT8 at a time.")] = Part.LINEAR,
    recipe: Annotated[Recipe, typer.Option(help="linears or cpu.")] = Recipe.LINEARS,
    ranges: Annotated[RangeMethod, typer.Option(help="How an activation's range is taken.")] = RangeMethod.MSE,
    as_json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every figure to FILE.")] = None,
) -> None:
    """Which parts of the search graph cost accuracy in INT8: each alone, the costliest first, and all together."""
    if recipe not in (Recipe.LINEARS, Recipe.CPU):
        raise InputError(f"the sensitivity of {recipe} is not measured; give --recipe linears or cpu")
    if not calibration:
        raise InputError("give footage to measure on: --calibration VIDEO, FOLDER or a data set")
    for package in ("onnx", "onnxruntime", "cv2"):
        if not installed(package):
            raise MissingExtraError(package, "measuring sensitivity", "export")
    if as_json:
        check_place(as_json)
    opened = Bundle.open(bundle_or_default(bundle))
    notes = Console(stderr=True)
    with notes.status("reading the graphs") as status:
        from .measure import measure_sensitivity

        say = steps(notes, status)
        calibrating = Calibrating(tuple(calibration), (recipe,), ranges)
        report = measure_sensitivity(opened, recipe, calibrating, by is Part.BLOCK, say)
    table = Table(str(by.value), "drop of the overlap, %", "same cell, %", box=None, padding=(0, 2))
    for part in report.parts:
        table.add_row(part.name, f"{100 * part.drop:.3f}", f"{100 * part.same_cell:.1f}")
    table.add_row("all together", f"{100 * report.all_drop:.3f}", f"{100 * report.all_same_cell:.1f}")
    out = console()
    out.print(table)
    out.print(f"against fp32 on {report.crops} crops, by the recipe {recipe}; drop: 1 - mean IoU of the boxes")
    if as_json:
        with whole_or_nothing(as_json) as partial:
            partial.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
