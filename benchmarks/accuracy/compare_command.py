"""`ostrack-bench compare`, `report` and `submit`: what is read from run folders alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..._command import console
from ...runtime.files import check_place
from ..formats import ResultFormat
from ..output import write_json
from .options import Json


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that accuracy made.")],
    baseline: Annotated[
        str | None, typer.Option(metavar="ENTRANT", help="Compare all others with it; the first one by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling.")] = 0,
    json: Json = None,
) -> None:
    """Differences per sequence and in total with confidence intervals.

    Two runs of the same trackers are compared tracker by tracker; otherwise the folders are joined, and every tracker
    is compared with the baseline.
    """
    if json:
        check_place(json)
    from .compare import compare_runs
    from .compare_table import print_comparison

    found = compare_runs(runs, baseline, seed)
    out = console()
    for i, comparison in enumerate(found):
        if i:
            out.print()
        print_comparison(comparison, out)
    if json:
        write_json(json, found)


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that accuracy made.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file; it needs nothing beside it.")] = ...,  # type: ignore[assignment]
    fps: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A file of ostrack-bench fps --json; may be repeated.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the plots as PNG and every figure as JSON there.")
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=0, metavar="N", help="Best and worst moments of each tracker; 0 needs no footage.")
    ] = 2,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Tracking accuracy",
) -> None:
    """One HTML file with tables, plots and pictures of one run or several."""
    check_place(out)
    from ..report_html import write_report

    write_report(runs, out, fps=fps or (), figures=figures, pictures=pictures, title=title)
    console().print(f"wrote {out}" + (f" and {figures}" if figures else ""), soft_wrap=True)


def submit(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that accuracy made.")],
    out: Annotated[Path, typer.Option(metavar="PATH", help="A zip for a server, a folder for a toolkit.")] = ...,  # type: ignore[assignment]
    entrant: Annotated[str | None, typer.Option(help="Whose results, where there are several.")] = None,
    kind: Annotated[
        ResultFormat | None, typer.Option("--format", help="Whose evaluation takes them; the data set's by default.")
    ] = None,
) -> None:
    """The results as files for a benchmark's evaluation server or toolkit."""
    from .merge import open_runs
    from .submit import write_submission

    count = write_submission(open_runs(runs), entrant, kind, out)
    console().print(f"wrote the results of {count} sequences to {out}", soft_wrap=True)
