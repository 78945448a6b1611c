"""`ostrack-export engines`, and what `inspect` shows of engines: options, read and handed on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..._command import bundle_or_default, console
from ...runtime.bundle import Bundle
from ...runtime.manifest import Precision, Recipe
from ..options import parse_precisions
from .make import EnginePlan, make_engines
from .reports import read_reports
from .show import print_engines, print_made, report_json
from .targets import parse_targets


def engines(
    target: Annotated[
        str,
        typer.Option(
            metavar="T,...", help="rtx:sm86 and the like ahead of time; rtx or tensorrt for the GPU of this machine."
        ),
    ],
    bundle: Annotated[
        Path | None, typer.Argument(help="Folder of the bundle; the default model's if left out.", show_default=False)
    ] = None,
    precision: Annotated[
        Any,
        typer.Option(
            parser=parse_precisions, metavar="P,...", help="fp32, fp16, int8. \\[fp16 and int8 that the bundle has]"
        ),
    ] = None,
    recipe: Annotated[
        Recipe | None, typer.Option(help="INT8 graphs to build from: linears or attention. \\[linears]")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Targets per call, fixed, of a bundle that takes any.")
    ] = None,
    timing_cache: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what was measured here, for the next build.")
    ] = None,
    workspace: Annotated[
        int | None, typer.Option(metavar="MIB", help="Scratch memory at most; the library's own bound if left out.")
    ] = None,
    optimization_level: Annotated[
        int | None, typer.Option(metavar="0..5", help="How hard the builder looks for kernels; its own if left out.")
    ] = None,
    require_fused: Annotated[
        bool, typer.Option("--require-fused", help="Add nothing unless FP16 and INT8 blocks are fused as they should.")
    ] = False,
) -> None:
    """Build engines of a bundle's graphs and add them to it. Needs the engine library and no other."""
    plan = EnginePlan(
        parse_targets(target),
        None if precision is None else tuple(p for p in Precision if p in precision),
        recipe,
        batch,
        timing_cache,
        workspace,
        optimization_level,
        require_fused,
    )
    folder = bundle_or_default(bundle)
    notes = Console(stderr=True)
    with notes.status("reading the bundle") as status:
        made = make_engines(folder, plan, status.update)
    out = console()
    print_made(out, made)
    out.print(f"added to {folder}; see what was fused with: ostrack-export inspect {folder} --engines", soft_wrap=True)


def show_engines(bundle: Bundle, require_fused: bool, as_json: bool) -> None:
    """What `ostrack-export inspect --engines` prints."""
    reports = read_reports(bundle, require_fused)
    if as_json:
        print(json.dumps([report_json(engine, report) for engine, report in reports], indent=1))
    else:
        print_engines(console(), bundle, reports)
