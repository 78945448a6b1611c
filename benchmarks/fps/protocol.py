"""What a benchmark and its workers say to each other: one JSON object per line, made from the dataclasses below."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...runtime.manifest import Precision
from ..gpu.protocol import MeasureGpu


class Engine(str, Enum):
    """What runs the network in a row of the table."""

    REFERENCE = "pytorch"
    SAVINGS = "pytorch, savings"
    COMPILED = "pytorch, savings, compiled"
    BUNDLE = "bundle"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Row:
    """One engine to measure; `backend` and `precision` are set where a bundle's own graphs run, `beside` names the
    bundle's folder where it is not the measured one but one measured beside it."""

    engine: Engine
    backend: str = ""
    precision: Precision | None = None
    beside: str = ""

    @property
    def name(self) -> str:
        if self.engine is not Engine.BUNDLE:
            return str(self.engine)
        return f"{self.backend} {self.precision}" + (f", {self.beside}" if self.beside else "")


@dataclass(frozen=True)
class Clip:
    """Frames for every row alike. `path` holds `count` raw frames, uint8 [height, width, 3], BGR.

    Frame 0 starts the tracker on boxes[0]; every later frame i is searched around boxes[i - 1] (x, y, width, height in
    pixels), whatever the tracker found before, so that all rows cut the same crops.
    """

    path: str
    source: str
    width: int
    height: int
    count: int
    boxes: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class LoadRow:
    """Make the engine and track the first frame; without a `checkpoint` the PyTorch rows make their weights up."""

    row: Row
    bundle: str
    checkpoint: str | None
    clip: Clip
    threads: int


@dataclass(frozen=True)
class Loaded:
    """`load_ms`: imports, files, engine; `first_box_ms`: the template and the first search after that."""

    load_ms: float
    first_box_ms: float
    engine: dict[str, str]


@dataclass(frozen=True)
class RunTurn:
    warmup: int
    frames: int


@dataclass(frozen=True)
class Turn:
    """Milliseconds per frame: of the whole `update`, and of its stages by name; the process's peak memory so far."""

    whole_ms: tuple[float, ...]
    stages_ms: dict[str, tuple[float, ...]]
    peak_bytes: int


@dataclass(frozen=True)
class RunSustained:
    seconds: float


@dataclass(frozen=True)
class SustainedTurn:
    """Frames per second over consecutive spans of at least one second each."""

    frames_per_second: tuple[float, ...]


@dataclass(frozen=True)
class Shape:
    """A matrix product [rows, inner] by [inner, columns] that a graph does `times` times."""

    rows: int
    inner: int
    columns: int
    times: int

    @property
    def macs(self) -> int:
        """Of all of them together."""
        return self.rows * self.inner * self.columns * self.times


@dataclass(frozen=True)
class LoadProducts:
    library: str
    shapes: tuple[Shape, ...]
    threads: int


@dataclass(frozen=True)
class ProductsLoaded:
    version: str


@dataclass(frozen=True)
class RunProducts:
    warmup: int
    repeats: int


@dataclass(frozen=True)
class ProductTimes:
    """Median milliseconds of one product per shape, in the order of LoadProducts."""

    ms: tuple[float, ...]


Request = LoadRow | RunTurn | RunSustained | LoadProducts | RunProducts | MeasureGpu
REQUESTS: dict[str, type[Request]] = {
    kind.__name__: kind for kind in (LoadRow, RunTurn, RunSustained, LoadProducts, RunProducts, MeasureGpu)
}
"""Requests by the name that they have on the wire."""
