"""A long run against a camera that has every fault, to show that memory stays flat and nothing is lost.

    python -m ostrack_edge.service.soak --frames 100000 --bundle FOLDER --folder OUT

It writes what a real run writes, reads it again, and ends with an error unless all of it is there.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..datasets.footage import open_footage
from ..runtime.errors import OSTrackEdgeError
from .bundles import BundleChoice, BundleShelf
from .capture import Patience
from .session import Session, SessionSettings
from .sinks.text import CsvLines, JsonLines
from .sinks.video import VideoSink
from .sources.scene import Faults, SceneSource
from .stats import stats_line
from .views import SourceState

FAULTS = Faults(
    stall_every=4999,
    stall_seconds=0.4,
    disconnect_every=2503,
    resize_every=3001,
    corrupt_every=307,
    black_every=1009,
    frozen_every=1511,
)
"""Every kind often, and at numbers that share no divisor, so that they meet in all ways."""

MOST_GROWTH_MIB = 24.0
"""MiB that memory may grow from a tenth of the run to its end. Lists that are kept by mistake pass it within 10,000
frames; allocators that settle do not."""


@dataclass(frozen=True)
class SoakReport:
    """memory_mib: the process's resident memory, in MiB, twenty times over the run; faults: how often each happened;
    problems: sentences, none where all is well."""

    tracked: int
    captured: int
    dropped: int
    bad: int
    reopened: int
    seconds: float
    faults: dict[str, int]
    memory_mib: tuple[float, ...]
    problems: tuple[str, ...]
    last_line: str


def soak(bundle: Path, folder: Path, frames: int, rate: float = 250.0, threads: int | None = 1) -> SoakReport:
    """Track `frames` frames of the faulty camera, which gives `rate` a second, and check what was written to `folder`.

    Raises an OSTrackEdgeError where the session cannot run.
    """
    source = SceneSource(320, 240, rate, faults=FAULTS)
    jsonl, csv, video = folder / "soak.jsonl", folder / "soak.csv", folder / "soak.avi"
    session = Session(
        source,
        BundleShelf([BundleChoice("soak", bundle)], threads=threads),
        SessionSettings(
            patience=Patience(stall_after=0.2, first_pause=0.05, longest_pause=0.2),
            result_rows=5000,
            first_targets=(("a", source.first_box), ("b", source.first_box)),
        ),
        [JsonLines(jsonl), CsvLines(csv), VideoSink(video, 25)],
    )
    memory: list[float] = []
    states: set[SourceState] = set()
    began = time.monotonic()
    looking_on = threading.Event()
    with session:
        session.start(20)
        viewer = threading.Thread(target=_look_on, args=(session, looking_on), daemon=True)
        viewer.start()
        while (done := session.snapshot().latency.frames) < frames:
            states.add(session.snapshot().source.state)
            if done * 20 >= len(memory) * frames:
                memory.append(_memory_mib())
            session.wait(0.02)
        memory.append(_memory_mib())
        looking_on.set()
        # Before the session ends: a viewer in the middle of a look would find it stopped.
        viewer.join()
    snapshot = session.snapshot()
    problems = [
        *_lost(session, jsonl, csv, video),
        *(str(error) for error in session.sink_errors),
        *_grown(memory),
        *_survived(source, snapshot.source.reopened, states),
    ]
    status = snapshot.source
    return SoakReport(
        snapshot.latency.frames,
        status.captured,
        status.dropped,
        status.bad,
        status.reopened,
        time.monotonic() - began,
        dict(source.camera.happened),
        tuple(memory),
        tuple(problems),
        stats_line(snapshot),
    )


def _look_on(session: Session, ended: threading.Event) -> None:
    """A viewer that is too slow for everything: pictures, results, targets that come and go."""
    number: int | None = None
    results = session.subscribe(capacity=8)
    while not ended.wait(0.2):
        picture = session.pictures.next(number, timeout=0.5)
        number = picture.number if picture else number
        results.get(timeout=0.1)
        targets = session.snapshot().targets
        if len(targets) > 2:
            session.remove_target(targets[-1].result.id)
        elif targets:
            session.add_target(targets[0].last_box, "visitor")


def _lost(session: Session, jsonl: Path, csv: Path, video: Path) -> Iterator[str]:
    tracked = session.snapshot().latency.frames
    with jsonl.open(encoding="utf-8") as lines:
        numbers = [row["frame"] for line in lines if "frame" in (row := json.loads(line))]
    if len(numbers) != tracked or numbers != sorted(set(numbers)):
        yield f"{jsonl} holds {len(numbers)} of {tracked} frames, or not each once and in order"
    with csv.open(encoding="utf-8") as lines:
        rows = sum(1 for _ in lines) - 1
    # Two targets at least in every frame, a third now and then.
    if rows < 2 * tracked:
        yield f"{csv} holds {rows} rows for {tracked} frames of two targets"
    status = {sink.name: sink for sink in session.snapshot().sinks}
    with open_footage(video) as footage:
        held = footage.frame_count
    film = status[str(video)]
    if held != film.written or film.written + film.lost != tracked:
        yield f"{video} holds {held} frames; {film.written} were written and {film.lost} lost of {tracked}"
    if any(status[str(path)].lost for path in (jsonl, csv)):
        yield "results were lost on their way to a file"


def _grown(memory: list[float]) -> Iterator[str]:
    settled = memory[len(memory) // 10 : len(memory) // 3]
    growth = max(memory[-3:]) - max(settled, default=memory[0])
    if growth > MOST_GROWTH_MIB:
        yield f"memory grew by {growth:.0f} MiB after it had settled"


def _survived(source: SceneSource, reopened: int, states: set[SourceState]) -> Iterator[str]:
    happened = source.camera.happened
    # The last one may still be on its way when the run ends.
    if happened["disconnect"] - reopened not in (0, 1):
        yield f"the camera went {happened['disconnect']} times and came back {reopened} times"
    if happened["stall"] and SourceState.STALLED not in states:
        yield "the camera stalled, and its state never said so"


def _memory_mib() -> float:
    """Resident memory of this process. Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Run the soak, print what came of it."""
    from .._command import bundle_or_default, run_app

    app = typer.Typer(add_completion=False)

    @app.command()
    def run(
        folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where its files go; it must be there.")],
        bundle: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None,
        frames: Annotated[int, typer.Option(min=100)] = 100_000,
        rate: Annotated[float, typer.Option(min=1, help="Frames per second of the camera.")] = 250.0,
        threads: Annotated[int, typer.Option(min=1)] = 1,
    ) -> None:
        """Track FRAMES frames of a rendered camera with faults, and check memory, files and recovery."""
        report = soak(bundle_or_default(bundle), folder, frames, rate, threads)
        print(
            f"{report.tracked} frames tracked in {report.seconds:.0f} s; the camera gave {report.captured}, "
            f"{report.dropped} were dropped, {report.bad} damaged; it came back {report.reopened} times"
        )
        print("faults: " + ", ".join(f"{count} x {kind}" for kind, count in report.faults.items()))
        print("memory, MiB: " + " ".join(f"{mib:.0f}" for mib in report.memory_mib))
        print(report.last_line)
        if report.problems:
            raise OSTrackEdgeError("; ".join(report.problems))

    run_app(app)


if __name__ == "__main__":
    main()
