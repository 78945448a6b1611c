"""Who takes turns in a run: the engines of the table's rows, and the libraries whose products make the floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .process import WorkerProcess
from .protocol import (
    Loaded,
    LoadProducts,
    LoadRow,
    ProductsLoaded,
    ProductTimes,
    Row,
    RunProducts,
    RunSustained,
    RunTurn,
    Shape,
    SustainedTurn,
    Turn,
)
from .stats import Sustained, summarise_sustained

FLOOR_WARMUP, FLOOR_REPEATS = 2, 7
"""Products of each shape per library and round: not counted, and counted."""


@dataclass
class EngineContender:
    """An engine in its process, and its turns so far."""

    row: Row
    worker: WorkerProcess
    loaded: Loaded
    turns: list[Turn] = field(default_factory=list)
    sustained: Sustained | None = None

    @classmethod
    def load(cls, worker: WorkerProcess, request: LoadRow) -> EngineContender:
        """Raises WorkerError."""
        return cls(request.row, worker, worker.ask(request, Loaded))

    @property
    def name(self) -> str:
        return self.row.name

    def take_turn(self, warmup: int, frames: int, within: Callable[[float], None]) -> None:
        """Raises WorkerError; `within` hears which share of the turn is done."""
        self.turns.append(self.worker.ask(RunTurn(warmup, frames), Turn, lambda done: within(done / frames)))

    def run_sustained(self, seconds: float, within: Callable[[float], None]) -> None:
        """Raises WorkerError."""
        turn = self.worker.ask(RunSustained(seconds), SustainedTurn, lambda done: within(done / seconds))
        self.sustained = summarise_sustained(turn.frames_per_second)


@dataclass
class LibraryContender:
    """A library in its process; `rounds` holds one tuple of milliseconds per round, one entry per shape."""

    library: str
    worker: WorkerProcess
    version: str
    rounds: list[tuple[float, ...]] = field(default_factory=list)

    @classmethod
    def load(cls, worker: WorkerProcess, library: str, shapes: Sequence[Shape], threads: int) -> LibraryContender:
        """Raises WorkerError."""
        loaded = worker.ask(LoadProducts(library, tuple(shapes), threads), ProductsLoaded)
        return cls(library, worker, loaded.version)

    @property
    def name(self) -> str:
        return f"floor: {self.library}"

    def take_turn(self, warmup: int, frames: int, within: Callable[[float], None]) -> None:
        """Every shape FLOOR_REPEATS times, whatever the frames. Raises WorkerError."""
        self.rounds.append(self.worker.ask(RunProducts(FLOOR_WARMUP, FLOOR_REPEATS), ProductTimes).ms)


Contender = EngineContender | LibraryContender
