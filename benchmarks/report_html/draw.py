"""Which plots a report has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..metrics import FIGURES
from .content import Content, DatasetPart, EntrantPart
from .plots import Plot, Series, curve_plot, latency_plot, trade_plot


@dataclass(frozen=True)
class _CurveKind:
    """A curve of `metrics.Summary` as a plot; `figure` is shown with each entrant, None for the one that sequences are
    listed by; `mark` is the threshold that it is read at."""

    name: str
    title: str
    across: str
    up: str
    figure: str | None
    mark: float | None


_CURVES = (
    _CurveKind("success", "Success", "IoU above", "share of frames", None, None),
    _CurveKind("precision", "Precision", "centre error within, pixels", "share of frames", "precision_20px", 20.0),
    _CurveKind(
        "norm_precision",
        "Normalised precision",
        "centre error within, share of the target's size",
        "share of frames",
        "norm_precision_at_0.2",
        0.2,
    ),
    _CurveKind("eao", "Expected average overlap", "length of a run, frames", "mean overlap", "eao", None),
)


_LONGEST_KEY = 60
"""Letters of a plot's name that the data set gives: file systems take 255 of the whole."""


def plot_keys(content: Content) -> dict[str, str]:
    """By the name of each dataset: how its plots' names begin, in letters that files and identifiers take."""
    keys: dict[str, str] = {}
    for part in content.datasets:
        plain = re.sub(r"[^a-z0-9]+", "-", part.name.lower())[:_LONGEST_KEY].strip("-")
        keys[part.name] = f"{plain}-{len(keys) + 1}" if not plain or plain in keys.values() else plain
    return keys


def dataset_plots(part: DatasetPart, key: str, places: dict[str, int]) -> tuple[Plot, ...]:
    """The plots of one dataset, as far as there is something to show. key: begins their names, letters and digits."""
    placed = [(places[entrant.name], entrant) for entrant in part.entrants]
    found = []
    for kind in _CURVES:
        figure = kind.figure or part.row_figure
        series = _series(placed, kind.name, figure)
        if series:
            found.append(curve_plot(f"{key}-{kind.name}", kind.title, kind.across, kind.up, series, kind.mark))
    if any(e.latency and part.headline in e.figures for e in part.entrants):
        found.append(
            trade_plot(f"{key}-trade", "Accuracy against speed", part.headline, FIGURES[part.headline].title, placed)
        )
    if any(e.latency for e in part.entrants):
        found.append(latency_plot(f"{key}-latency", "Time per frame", placed))
    return tuple(found)


def _series(placed: Sequence[tuple[int, EntrantPart]], curve: str, figure: str) -> list[Series]:
    """The entrants that have this curve, labelled with the figure that is read from it."""
    series = []
    for place, entrant in placed:
        if curve in entrant.curves:
            value = entrant.figures.get(figure)
            label = entrant.label if value is None else f"{value:.3f}  {entrant.label}"
            series.append(Series(place, label, entrant.curves[curve]))
    return series
