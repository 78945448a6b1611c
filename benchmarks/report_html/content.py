"""What a report says, apart from how it looks: the values that the page, the plots and the JSON file are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """A curve of a benchmark: thresholds `x` and the share of frames `y`, 0..1, at each of them."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Latency:
    """Times of `frames` updates, in milliseconds; the quantiles are those at `LATENCY_SHARES`."""

    frames: int
    median_ms: float
    p90_ms: float
    p99_ms: float
    worst_ms: float
    frames_per_second: float
    quantiles_ms: tuple[float, ...]


LATENCY_SHARES = tuple(i / 200 for i in range(201))
"""Where the distribution of times is kept for the plot: steps of half a per cent."""


@dataclass(frozen=True)
class EntrantPart:
    """One tracker on one dataset.

    `details`: what it is (backend, precision, file) by name. `trained` is False for made-up weights, whose boxes mean
    nothing. `figures` are by the names in `metrics.FIGURES`, `curves` by those of `metrics.Summary`. `sequences` counts
    those that it finished, in `frames` that count.
    """

    name: str
    details: dict[str, str]
    trained: bool
    sequences: int
    frames: int
    figures: dict[str, float]
    curves: dict[str, Curve]
    latency: Latency | None

    @property
    def label(self) -> str:
        """Its name where its accuracy is shown: that of made-up weights is noise."""
        return self.name if self.trained else f"{self.name} (untrained: noise)"


@dataclass(frozen=True)
class SequencePart:
    """One sequence: its headline figure for every entrant that finished it."""

    name: str
    category: str | None
    frames: int
    values: dict[str, float]


@dataclass(frozen=True)
class Difference:
    """`entrant` less `baseline` in one figure, over `sequences` that both finished, with the 95 % interval of a paired
    bootstrap; it is `found` only where the interval leaves 0 out."""

    entrant: str
    baseline: str
    figure: str
    over: str
    sequences: int
    value: float
    low: float
    high: float
    found: bool


@dataclass(frozen=True)
class Moment:
    """A frame shown as a picture: `jpeg` with the boxes drawn into it, IoU with the truth by entrant."""

    title: str
    sequence: str
    frame: int
    overlaps: dict[str, float]
    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True)
class DatasetPart:
    """Everything about one dataset.

    `starts` says where trackers were started. `headline` is the figure that the benchmark ranks by, `row_figure` the
    one that sequences are listed by. `compared` counts the sequences that every entrant finished, which the figures are
    taken over. `timing` says how the times were taken, `notes` what a reader must know besides.
    """

    name: str
    protocol: str
    starts: str
    sequences: int
    compared: int
    frames: int
    headline: str
    row_figure: str
    timing: str
    entrants: tuple[EntrantPart, ...]
    differences: tuple[Difference, ...]
    rows: tuple[SequencePart, ...]
    moments: tuple[Moment, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RunPart:
    """How one run was made: its command, options, machine and the versions that decide its figures."""

    folder: str
    created: str
    command: str
    machine: str
    versions: dict[str, str]
    options: dict[str, str]


@dataclass(frozen=True)
class SpeedRow:
    """A row of `ostrack-bench fps --json`: measured alone, in a process of its own, taking turns. Milliseconds."""

    name: str
    median_ms: float
    p90_ms: float
    p99_ms: float
    frames_per_second: float
    ratio_to_pytorch: float | None


@dataclass(frozen=True)
class SpeedPart:
    """One measurement of `ostrack-bench fps`."""

    created: str
    bundle: str
    machine: str
    footage: str
    threads: int
    rows: tuple[SpeedRow, ...]


@dataclass(frozen=True)
class Content:
    """The whole report."""

    title: str
    created: str
    version: str
    datasets: tuple[DatasetPart, ...]
    runs: tuple[RunPart, ...]
    speed: tuple[SpeedPart, ...]

    @property
    def untrained(self) -> tuple[str, ...]:
        """Names of entrants with made-up weights, in order."""
        names = [e.name for part in self.datasets for e in part.entrants if not e.trained]
        return tuple(dict.fromkeys(names))

    @property
    def places(self) -> dict[str, int]:
        """The place of each entrant, which settles its colour, by name: the same in every dataset."""
        return number_names([entrant.name for part in self.datasets for entrant in part.entrants])


def number_names(names: Sequence[str]) -> dict[str, int]:
    """The place, from 0, in which each name first appears."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}
