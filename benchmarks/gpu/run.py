"""All rows of a bundle on this machine's GPU, one after the other, each in a process of its own."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from ...runtime.bundle import Bundle
from ...runtime.errors import InputError
from ...runtime.manifest import Precision
from ..fps.clip import make_clip
from ..fps.process import WorkerError, WorkerProcess
from ..fps.protocol import Request
from ..fps.rows import MissingRow
from ..machine import physical_cores, read_machine
from ..progress import StepProgress
from ..sysfs import read_conditions
from ..weights import checkpoint_of
from .protocol import Footage, GpuRow, GpuTimes, MeasureGpu
from .report import GpuReport, GpuRun, make_report
from .rows import Obstacles, all_rows

Reply = TypeVar("Reply")

DRIVER_VERSION = Path("/proc/driver/nvidia/version")


class Asker(Protocol):
    """What measures a row: a process of its own, or a test's stand-in."""

    def ask(self, request: Request, kind: type[Reply], tick: Callable[[int], None] = ...) -> Reply: ...


@dataclass(frozen=True)
class GpuOptions:
    """What to measure: `batches` in targets per call; `warmup` frames not counted, then `frames`. Raises InputError."""

    bundle: Path
    video: Path | None = None
    batches: tuple[int, ...] = (1, 8, 32)
    warmup: int = 20
    frames: int = 100
    checkpoint: Path | None = None

    def __post_init__(self) -> None:
        for name, least, values in (
            ("batch", 1, self.batches),
            ("warmup", 0, (self.warmup,)),
            ("frames", 1, (self.frames,)),
        ):
            for value in values:
                if value < least:
                    raise InputError(f"{name} is {value}; give at least {least}")


def measure_gpu(options: GpuOptions, start: Callable[[Path], AbstractContextManager[Asker]] | None = None) -> GpuRun:
    """Every row, measured or with the reason why it was not.

    start: makes what measures one row, in a folder; None for processes. Raises BundleError, FootageError.
    """
    bundle = Bundle.open(options.bundle)
    obstacles = Obstacles(bundle)
    rows, missing = [], []
    for row in all_rows(tuple(dict.fromkeys(options.batches))):
        reason = obstacles.of(row)
        if reason is None:
            rows.append(row)
        else:
            missing.append(MissingRow(row.name, reason))
    before = read_conditions()
    found, failed, footage = _measure_rows(bundle, options, rows, start or _process)
    manifest = bundle.manifest
    return GpuRun(
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        bundle=str(bundle.folder),
        network=manifest.network,
        trained=manifest.trained,
        weights_sha256=manifest.weights_sha256,
        gpu=obstacles.gpu,
        driver=_driver(),
        footage=footage,
        warmup=options.warmup,
        frames=options.frames,
        machine=read_machine(),
        before=before,
        after=read_conditions(),
        rows=tuple(found),
        missing=(*missing, *failed),
    )


def _measure_rows(
    bundle: Bundle,
    options: GpuOptions,
    rows: Sequence[GpuRow],
    start: Callable[[Path], AbstractContextManager[Asker]],
) -> tuple[list[GpuReport], list[MissingRow], str]:
    found: list[GpuReport] = []
    failed: list[MissingRow] = []
    references: dict[int, tuple[GpuRow, GpuTimes]] = {}
    checkpoint = checkpoint_of(bundle, options.checkpoint)
    with tempfile.TemporaryDirectory(prefix="ostrack-bench-") as name, StepProgress(len(rows)) as progress:
        clip = make_clip(options.video, options.frames, Path(name))
        footage = Footage(clip.path, clip.width, clip.height, clip.count, clip.boxes)
        for row in rows:
            progress.begin(row.name)
            request = MeasureGpu(
                row,
                str(bundle.folder.absolute()),
                checkpoint and str(checkpoint.absolute()),
                footage,
                options.warmup,
                options.frames,
            )
            try:
                with start(Path(name)) as asker:
                    times = asker.ask(request, GpuTimes, _share(progress, options.frames))
            except WorkerError as error:
                failed.append(MissingRow(row.name, str(error)))
            else:
                comparable = times.against is not None
                found.append(make_report(row, times, references.get(row.batch) if comparable else None))
                if row.precision is Precision.FP32 and comparable:
                    references.setdefault(row.batch, (row, times))
            progress.end()
    return found, failed, clip.source


def _share(progress: StepProgress, frames: int) -> Callable[[int], None]:
    return lambda done: progress.within(done / frames)


@contextmanager
def _process(folder: Path) -> Iterator[Asker]:
    with WorkerProcess(folder, physical_cores()) as worker:
        yield worker


def _driver() -> str | None:
    """NVIDIA's driver, as its kernel module names it."""
    try:
        return DRIVER_VERSION.read_text(encoding="utf-8", errors="replace").splitlines()[0]
    except (OSError, IndexError):
        return None
