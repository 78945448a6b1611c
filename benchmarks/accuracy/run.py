"""What `ostrack-bench accuracy` does: plan, follow every target, keep each result as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...runtime.errors import BenchmarkError, OutputError
from ..machine import physical_cores, read_machine
from ..metrics import Protocol
from .entrants import Entrant
from .external import read_given, store_given
from .plan import RunOptions, choose_sequences, frame_count, truth_of
from .pool import Failure, run_tasks
from .progress import frame_progress
from .record import (
    NAMING,
    RECORD_NAME,
    SCHEMA,
    DatasetRecord,
    EntrantRecord,
    RunRecord,
    SequenceRecord,
    continue_record,
    read_record,
    write_record,
)
from .starts import plan_starts
from .store import read_trajectory, result_path, write_truth
from .worker import Task

if TYPE_CHECKING:
    from ...datasets.sequence import Dataset
    from ...datasets.sequence import Sequence as Annotated


@dataclass(frozen=True)
class RunOutcome:
    """`done`: results that this run added; `kept`: those that lay in the folder already; `left`: tasks not begun."""

    record: RunRecord
    done: int
    kept: int
    left: int
    failures: tuple[Failure, ...]

    def check(self, out: Path) -> None:
        """Raises BenchmarkError where a result is missing: one sentence that names the first reason."""
        if not self.failures:
            return
        first, more = self.failures[0], len(self.failures) - 1
        others = f"; {more} more failed, the last: {self.failures[-1].sentence}" if more else ""
        not_begun = f"; {self.left} were not begun" if self.left else ""
        raise BenchmarkError(
            f"{first.task.name}: {first.sentence}{others}{not_begun}; the {self.done + self.kept} finished results are "
            f"in {out}, the same command does the rest"
        )


def run_accuracy(
    options: RunOptions, dataset: Dataset, entrants: Sequence[Entrant], results: Sequence[str] = ()
) -> RunOutcome:
    """Follow every target of the data set with every entrant; what lies in the folder already is not run again.

    results: somebody's result files, each as `read_given` takes them, to stand beside.

    Raises BenchmarkError where the folder holds another run or the data set no such sequence, OutputError or OSError
    where the folder cannot be written. A sequence that fails is named in the outcome, and the others go on.
    """
    sequences = choose_sequences(dataset, options)
    given = [read_given(text, options, sequences) for text in results]
    records = [*(e.record for e in entrants), *(g.record for g in given)]
    names = [record.name for record in records]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise BenchmarkError(f"two entrants are called {', '.join(twice)}; give them other names: {NAMING}")
    threads = options.threads or max(1, physical_cores() // options.jobs)
    record = open_folder(options, dataset, sequences, records, threads)
    for one in given:
        store_given(one, options.out)
    tasks = [task for entrant in entrants for task in _tasks(options, sequences, entrant)]
    missing = [task for task in tasks if not _finished(task)]
    with frame_progress(sum(task.frames for task in missing)) as bar:
        failures = run_tasks(missing, options.jobs, threads, bar.advance, bar.begin)
    remove_partial(options.out)
    failed = {failure.task.path for failure in failures}
    done = sum(task.path.exists() for task in missing if task.path not in failed)
    left = len(missing) - done - len(failures)
    return RunOutcome(record, done, len(tasks) - len(missing), left, tuple(failures))


def open_folder(
    options: RunOptions,
    dataset: Dataset,
    sequences: Sequence[Annotated],
    entrants: Sequence[EntrantRecord],
    threads: int,
) -> RunRecord:
    """Make the run folder, or go on with the one that is there, with its record and the truth of every sequence."""
    out = options.out
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; give the name of a folder")
    if out.is_dir() and not (out / RECORD_NAME).exists() and any(out.iterdir()):
        raise OutputError(f"{out} holds other files and no run; give the name of a new or empty folder")
    record = RunRecord(
        schema=SCHEMA,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        version=__version__,
        commands=(options.command,),
        dataset=DatasetRecord(
            name=dataset.name,
            spec=options.dataset,
            protocol=Protocol(options.protocol),
            most_frames=options.most_frames,
            sequences=tuple(SequenceRecord(s.name, s.category, frame_count(s, options)) for s in sequences),
            origin=sequences[0].origin,
        ),
        starts=options.starts,
        jobs=options.jobs,
        threads=threads,
        machine=read_machine(),
        entrants=tuple(entrants),
    )
    if (out / RECORD_NAME).exists():
        record = continue_record(read_record(out), record, out)
        remove_partial(out)
    out.mkdir(parents=True, exist_ok=True)
    for sequence in sequences:
        write_truth(out, sequence.name, truth_of(sequence, options))
    # After the truth: a folder with a record has everything that scoring needs.
    write_record(out, record)
    return record


def remove_partial(out: Path) -> None:
    """Take away what a killed process left of a file that it was writing."""
    for path in out.glob("results/*/.*.partial.npz"):
        path.unlink(missing_ok=True)


def _tasks(options: RunOptions, sequences: Sequence[Annotated], entrant: Entrant) -> Iterator[Task]:
    """Longest first, so that the last ones to end are short."""
    for sequence in sorted(sequences, key=lambda s: -frame_count(s, options)):
        frames = frame_count(sequence, options)
        for start in plan_starts(sequence.name, truth_of(sequence, options), frames, options.starts):
            path = result_path(options.out.absolute(), entrant.name, sequence.name, start.suffix)
            yield Task(entrant, sequence.name, sequence.frames, start, path)


def _finished(task: Task) -> bool:
    """Whether its result is there and whole; one that is damaged or cannot be read is made again."""
    try:
        return len(read_trajectory(task.path)) == task.frames
    except (FileNotFoundError, BenchmarkError):
        return False
