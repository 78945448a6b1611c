"""The plots, drawn by matplotlib: once as SVG in the page's own colours, and once as PNG."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...runtime.errors import MissingExtraError
from .content import LATENCY_SHARES, Curve, EntrantPart
from .palette import LIGHT, NAMED, VARIABLES, Palette, dashes, marker

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    # Only its absence: a matplotlib that is there and lacks a part of itself says so.
    if error.name != "matplotlib":
        raise
    raise MissingExtraError("matplotlib", "a report's plots", "report") from None

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (5.0, 3.7)
"""Inches of a plot without its legend: small, so that on a narrow page its text can still be read."""

_LEGEND_ROW = 0.19
"""Inches that a line of the legend takes below a plot."""

_LEGEND_COLUMNS = 52
"""Characters of a line of the legend; longer ones are broken."""

_DPI = 200


@dataclass(frozen=True)
class Series:
    """One entrant in a plot: its place in the order of entrants settles colour, dashes and marker."""

    place: int
    label: str
    curve: Curve


@dataclass(frozen=True)
class Plot:
    """A plot that can be drawn in any palette. `name` is part of a file's name and of the SVG's identifiers;
    `summary` says in words what it shows, for readers who do not see it."""

    name: str
    title: str
    summary: str
    legend_rows: int
    draw: Callable[[Axes, Palette], None] = field(repr=False)

    def svg(self) -> str:
        """The plot as an `svg` element for an HTML page, its colours left to the page's style sheet."""
        # Text as text, which the page's font draws and a reader can search; identifiers that are the same every time.
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": self.name}):
            text = self._save(NAMED, "svg", {"Date": None, "Creator": None})
        return _embeddable(text.decode("utf-8"), self.name, self.summary)

    def png(self) -> bytes:
        """The plot as a PNG file on a white ground."""
        return self._save(LIGHT, "png", {"Software": None}, facecolor="white", dpi=_DPI)

    def _save(self, palette: Palette, kind: str, metadata: dict, **options: object) -> bytes:
        below = _LEGEND_ROW * self.legend_rows + 0.1
        height = _SIZE[1] + below
        figure = Figure(figsize=(_SIZE[0], height), facecolor="none")
        axes = figure.add_axes((0.12, (below + 0.62) / height, 0.85, (_SIZE[1] - 1.0) / height))
        _style(axes, palette)
        axes.set_title(self.title, color=palette.ink, fontsize=10, fontweight="bold", loc="left")
        self.draw(axes, palette)
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="lower left",
            bbox_to_anchor=(0.1, 0.0),
            frameon=False,
            fontsize=9,
            labelcolor=palette.ink,
            handlelength=3.2,
            labelspacing=0.35,
        )
        held = io.BytesIO()
        figure.savefig(held, format=kind, metadata=metadata, **options)  # pyright: ignore[reportArgumentType]
        return held.getvalue()


def curve_plot(name: str, title: str, across: str, up: str, series: Sequence[Series], mark: float | None) -> Plot:
    """Curves of shares of frames over thresholds; `mark` is the threshold that a figure is read at."""

    def draw(axes: Axes, palette: Palette) -> None:
        for one in series:
            axes.plot(
                one.curve.x,
                one.curve.y,
                color=palette.color(one.place),
                linestyle=dashes(one.place),
                linewidth=1.8,
                label=_broken(one.label),
            )
        if mark is not None:
            axes.axvline(mark, color=palette.ink, linewidth=0.8, linestyle=":")
        ends = [one.curve.x[-1] for one in series]
        axes.set(xlabel=across, ylabel=up, xlim=(0, max(ends)), ylim=(0, 1))

    labels = [one.label for one in series]
    return Plot(name, title, f"{title}: {up} over {across}. {'; '.join(labels)}.", _rows(labels), draw)


def trade_plot(
    name: str, title: str, figure: str, figure_title: str, entrants: Sequence[tuple[int, EntrantPart]]
) -> Plot:
    """Accuracy against speed, a mark per entrant that has both."""
    points = [(i, e, e.latency.frames_per_second) for i, e in entrants if e.latency and figure in e.figures]
    labels = [f"{e.figures[figure]:.3f} at {speed:.1f} frames/s: {e.label}" for _, e, speed in points]

    def draw(axes: Axes, palette: Palette) -> None:
        for (place, entrant, speed), label in zip(points, labels, strict=True):
            axes.plot(
                [speed],
                [entrant.figures[figure]],
                color=palette.color(place),
                marker=marker(place),
                markersize=10,
                linestyle="none",
                label=_broken(label),
            )
        speeds = [speed for _, _, speed in points]
        axes.set_xscale("log")
        axes.set_xlim(min(speeds) / 1.6, max(speeds) * 1.6)
        _plain_log_ticks(axes, palette)
        axes.set(xlabel="frames per second (logarithmic)", ylabel=figure_title, ylim=(0, 1))

    return Plot(name, title, f"{title}. {'; '.join(labels)}.", _rows(labels), draw)


def latency_plot(name: str, title: str, entrants: Sequence[tuple[int, EntrantPart]]) -> Plot:
    """The share of frames that took no longer than so many milliseconds."""
    timed = [(i, e, e.latency) for i, e in entrants if e.latency]
    labels = [f"median {t.median_ms:.1f} ms, 99 % within {t.p99_ms:.1f} ms: {e.name}" for _, e, t in timed]

    def draw(axes: Axes, palette: Palette) -> None:
        for (place, _, latency), label in zip(timed, labels, strict=True):
            axes.plot(
                latency.quantiles_ms,
                LATENCY_SHARES,
                color=palette.color(place),
                linestyle=dashes(place),
                linewidth=1.8,
                label=_broken(label),
            )
        least = min(latency.quantiles_ms[0] for _, _, latency in timed)
        most = max(latency.quantiles_ms[-1] for _, _, latency in timed)
        axes.set_xscale("log")
        axes.set_xlim(least / 1.15, most * 1.15)
        _plain_log_ticks(axes, palette)
        axes.set(xlabel="milliseconds per frame (logarithmic)", ylabel="share of frames", ylim=(0, 1))

    return Plot(name, title, f"{title}. {'; '.join(labels)}.", _rows(labels), draw)


def _broken(label: str) -> str:
    """A label in lines that fit below a plot. matplotlib takes what stands between two dollars for mathematics."""
    return "\n".join(textwrap.wrap(label, _LEGEND_COLUMNS)).replace("$", r"\$")


def _rows(labels: Sequence[str]) -> int:
    return sum(_broken(label).count("\n") + 1 for label in labels)


def _style(axes: Axes, palette: Palette) -> None:
    axes.set_facecolor("none")
    axes.grid(True, color=palette.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=palette.ink, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_color(palette.ink)
        spine.set_visible(side in ("left", "bottom"))
    axes.xaxis.label.set_color(palette.ink)
    axes.yaxis.label.set_color(palette.ink)


def _plain_log_ticks(axes: Axes, palette: Palette) -> None:
    """Ticks at 1, 2, 5 of every decade, as numbers without powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="both", colors=palette.ink)


def _embeddable(text: str, name: str, summary: str) -> str:
    """The `svg` element of a file, with identifiers of its own, a name for screen readers, and the page's colours."""
    element = text[text.index("<svg") :]
    head, body = element.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None, "matplotlib writes a viewBox"
    # matplotlib writes a metadata block that names its own and other sites.
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="plot-{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#plot-{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#plot-{name}-\1)", body)
    body = body.replace("xlink:href", "href")
    for color, variable in VARIABLES.items():
        body = body.replace(color, variable)
    label = summary.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box.group()} role="img" aria-label="{label}">{body.strip()}'
