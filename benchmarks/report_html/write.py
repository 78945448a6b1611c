"""From run folders to the report's files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import OutputError
from ...runtime.files import check_place, whole_or_nothing
from ...runtime.manifest import to_json
from ..output import write_json
from .content import Content, DatasetPart

if TYPE_CHECKING:
    from .plots import Plot

FIGURES_NAME = "figures.json"


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    fps: Sequence[Path] = (),
    figures: Path | None = None,
    pictures: int = 2,
    title: str = "Tracking accuracy",
) -> Content:
    """Write the report of `runs`, folders of `ostrack-bench accuracy`, to the HTML file `out`, and return what it says.

    fps: files of `ostrack-bench fps --json`, whose speeds are shown too; figures: a folder, made where it is absent,
    for the plots as PNG and every figure as JSON; pictures: best and worst moments of each entrant, 0 for none, which
    the footage must be at hand for. Every file appears whole or not at all. Raises BenchmarkError, FootageError,
    OutputError, MissingExtraError, OSError.
    """
    check_place(out)
    if figures is not None:
        _check_folder(figures)
    # Here, so that a place that cannot be written is told before the libraries are loaded and the runs are read.
    from .gather import gather

    content = gather(runs, fps, pictures, title)
    write_content(content, out, figures)
    return content


def write_content(content: Content, out: Path, figures: Path | None = None) -> None:
    """Write a report that has been gathered. Raises OutputError, MissingExtraError, OSError."""
    from .draw import dataset_plots, plot_keys
    from .page import render_page

    check_place(out)
    keys = plot_keys(content)
    plots = {part.name: dataset_plots(part, keys[part.name], content.places) for part in content.datasets}
    with whole_or_nothing(out) as partial:
        partial.write_text(render_page(content, plots), encoding="utf-8")
        # Before the page takes its place: a disk that is full here leaves the old page beside the old figures.
        if figures is not None:
            _write_figures(figures, content, plots)


def _write_figures(folder: Path, content: Content, plots: dict[str, tuple[Plot, ...]]) -> None:
    _check_folder(folder)
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        # All of them under other names first: a full disk leaves no mixture of two reports.
        for plot in (plot for drawn in plots.values() for plot in drawn):
            partial = stack.enter_context(whole_or_nothing(folder / f"{plot.name}.png"))
            partial.write_bytes(plot.png())
        write_json(folder / FIGURES_NAME, as_figures(content))


def as_figures(content: Content) -> dict[str, Any]:
    """Everything that the report says, pictures left out, as plain values for a JSON file."""
    report = {name: getattr(content, name) for name in ("title", "created", "version", "runs", "speed")}
    return {**to_json(report), "datasets": [_part_as_figures(part) for part in content.datasets]}


def _part_as_figures(part: DatasetPart) -> dict[str, Any]:
    kept = {name: to_json(value) for name, value in vars(part).items() if name != "moments"}
    moments = [{k: to_json(v) for k, v in vars(moment).items() if k != "jpeg"} for moment in part.moments]
    return {**kept, "moments": moments}


def _check_folder(folder: Path) -> None:
    """Raise OutputError unless `folder` is a folder, or can be made one."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give a folder for the figures")
    check_place(folder / FIGURES_NAME if folder.is_dir() else folder)
