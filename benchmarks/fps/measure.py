"""Frames per second of every engine of a bundle against PyTorch: same frames, own processes, taking turns."""

from __future__ import annotations

import datetime
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ...runtime.bundle import Bundle
from ...runtime.errors import BenchmarkError, CheckpointError, InputError, MissingExtraError
from ...runtime.manifest import Precision
from ..machine import physical_cores, read_machine
from ..progress import StepProgress
from ..sysfs import Conditions, read_conditions
from ..weights import checkpoint_of
from .clip import make_clip
from .contenders import Contender, EngineContender, LibraryContender
from .floor import LIBRARY_NAMES, Floor, block_shapes, make_floor
from .process import WorkerError, WorkerProcess
from .protocol import Engine, LoadRow, Row
from .report import FpsReport, RowReport, make_row, round_medians
from .rows import MissingRow, choose_rows, rows_beside


@dataclass(frozen=True)
class FpsOptions:
    """What to measure. `threads` None takes one per core; `backends` and `precisions` empty take all; `sustained` is in
    seconds.

    `beside`: further bundles whose engines take turns with this one's, on the same frames.

    `checkpoint`: None takes the default model's weights for bundles built from them, and makes others up.

    `warmup` frames are run and not counted at the start of every turn of `frames` frames. Raises InputError.
    """

    bundle: Path
    video: Path | None = None
    backends: tuple[str, ...] = ()
    precisions: tuple[Precision, ...] = ()
    threads: int | None = None
    rounds: int = 5
    frames: int = 20
    warmup: int = 3
    sustained: float | None = None
    checkpoint: Path | None = None
    beside: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("rounds", 1), ("frames", 1), ("warmup", 0), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{name} is {value}; give at least {least}")
        if self.sustained is not None and not 0 < self.sustained < float("inf"):
            raise InputError(f"sustained is {self.sustained:g} seconds; give a positive number")


class Measurement:
    """The processes of one run, and what they have given so far. They end with `stack`."""

    def __init__(self, options: FpsOptions, bundle: Bundle, stack: ExitStack) -> None:
        self.options = options
        self.bundle = bundle
        self.threads = options.threads or physical_cores()
        self.checkpoint, self.weights = reference_weights(bundle, options.checkpoint)
        self.contenders: list[Contender] = []
        self.missing: list[MissingRow] = []
        self._stack = stack
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ostrack-bench-")))
        self.clip = make_clip(options.video, options.frames, self._folder)

    @property
    def engines(self) -> list[EngineContender]:
        return [c for c in self.contenders if isinstance(c, EngineContender)]

    @property
    def libraries(self) -> list[LibraryContender]:
        return [c for c in self.contenders if isinstance(c, LibraryContender)]

    def load_engine(self, row: Row) -> None:
        """Start a row's process, alone; one that does not load is noted, unless it was asked for."""
        checkpoint = self.checkpoint and str(self.checkpoint.absolute())
        folder = Path(row.beside or self.bundle.folder).absolute()
        request = LoadRow(row, str(folder), checkpoint, self.clip, self.threads)
        worker = self._start()
        try:
            self.contenders.append(EngineContender.load(worker, request))
        except WorkerError as error:
            worker.close()
            asked = self.options.backends if row.engine is Engine.BUNDLE else self.options.checkpoint
            if asked and row.engine is not Engine.COMPILED and error.kind != MissingExtraError.__name__:
                raise BenchmarkError(f"{row.name} cannot be measured: {error}") from None
            self.missing.append(MissingRow(row.name, str(error)))

    def load_library(self, name: str) -> None:
        """Start a library's process; one that is absent is noted."""
        worker = self._start()
        shapes = block_shapes(self.bundle.manifest.network)
        try:
            self.contenders.append(LibraryContender.load(worker, name, shapes, self.threads))
        except WorkerError as error:
            worker.close()
            self.missing.append(MissingRow(f"floor: {name}", str(error)))

    def run_round(self, number: int, progress: StepProgress) -> None:
        """One turn of everybody; who begins changes from round to round, so that nobody always follows the same one."""
        first = number % len(self.contenders)
        for contender in self.contenders[first:] + self.contenders[:first]:
            progress.begin(f"round {number + 1} of {self.options.rounds}: {contender.name}")
            try:
                contender.take_turn(self.options.warmup, self.options.frames, progress.within)
            except WorkerError as error:
                contender.worker.close()
                self.contenders.remove(contender)
                self.missing.append(MissingRow(contender.name, f"stopped in round {number + 1}: {error}"))
            progress.end()

    def run_sustained(self, seconds: float, progress: StepProgress) -> None:
        """The long run of the bundle's own engines, one after the other."""
        for engine in self.engines:
            if engine.row.engine is not Engine.BUNDLE:
                continue
            progress.begin(f"sustained: {engine.name}, {seconds:g} s")
            try:
                engine.run_sustained(seconds, progress.within)
            except WorkerError as error:
                self.missing.append(MissingRow(f"sustained: {engine.name}", str(error)))
            progress.end()

    def floor(self) -> Floor | None:
        libraries = self.libraries
        if not libraries:
            return None
        rounds = [{lib.library: lib.rounds[i] for lib in libraries} for i in range(self.options.rounds)]
        return make_floor(self.bundle.manifest.network, rounds, {lib.library: lib.version for lib in libraries})

    def _start(self) -> WorkerProcess:
        return self._stack.enter_context(WorkerProcess(self._folder, self.threads))


def measure(options: FpsOptions) -> FpsReport:
    """Everything that `ostrack-bench fps` prints.

    Raises BundleError, FootageError, BackendError for a backend that was asked for and cannot run, BenchmarkError where
    nothing could be measured or a checkpoint was given that does not fit the bundle.
    """
    bundle = Bundle.open(options.bundle)
    rows, unusable = choose_rows(bundle, options.backends, options.precisions)
    for folder in options.beside:
        rows += rows_beside(Bundle.open(folder), options.backends, options.precisions)
    before = read_conditions()
    with ExitStack() as stack:
        run = Measurement(options, bundle, stack)
        run.missing += unusable
        progress = stack.enter_context(StepProgress(_steps(rows, options)))
        for row in rows:
            progress.begin(f"loading {row.name}")
            run.load_engine(row)
            progress.end()
        for name in LIBRARY_NAMES if run.engines else ():
            progress.begin(f"loading {name}'s matrix product")
            run.load_library(name)
            progress.end()
        for number in range(options.rounds):
            if run.engines:
                run.run_round(number, progress)
        if not run.engines:
            raise BenchmarkError(
                "nothing could be measured: " + "; ".join(f"{m.name}: {m.reason}" for m in run.missing)
            )
        if options.sustained:
            run.run_sustained(options.sustained, progress)
        return _report(run, before)


def reference_weights(bundle: Bundle, given: Path | None) -> tuple[Path | None, str]:
    """The checkpoint of the PyTorch rows, and what the report says of it."""
    made_up = "made up, as the speed does not depend on them"
    try:
        found = checkpoint_of(bundle, given)
    except CheckpointError as error:
        return None, f"{made_up}; {error}"
    return found, str(found) if found else made_up


def _steps(rows: list[Row], options: FpsOptions) -> int:
    """Loads, turns and sustained runs, where nothing fails."""
    contenders = len(rows) + len(LIBRARY_NAMES)
    sustained = sum(row.engine is Engine.BUNDLE for row in rows) if options.sustained else 0
    return contenders * (1 + options.rounds) + sustained


def _report(run: Measurement, before: Conditions) -> FpsReport:
    options, manifest, floor = run.options, run.bundle.manifest, run.floor()
    reference = next((round_medians(e.turns) for e in run.engines if e.row.engine is Engine.REFERENCE), None)
    own = {e.row: round_medians(e.turns) for e in run.engines if not e.row.beside}

    def report(engine: EngineContender) -> RowReport:
        beside = bool(engine.row.beside)
        # The floor is of the measured bundle's arithmetic; another bundle has its own.
        floors = floor.round_ms if floor and not beside else None
        counterpart = own.get(replace(engine.row, beside="")) if beside else None
        return make_row(engine.name, engine.loaded, engine.turns, engine.sustained, reference, floors, counterpart)

    return FpsReport(
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        bundle=str(run.bundle.folder),
        network=manifest.network,
        trained=manifest.trained,
        reference_weights=run.weights,
        footage=run.clip.source,
        frame_width=run.clip.width,
        frame_height=run.clip.height,
        distinct_frames=run.clip.count - 1,
        rounds=options.rounds,
        frames=options.frames,
        warmup=options.warmup,
        threads=run.threads,
        machine=read_machine(),
        before=before,
        after=read_conditions(),
        rows=tuple(map(report, run.engines)),
        floor=floor,
        missing=tuple(run.missing),
    )
