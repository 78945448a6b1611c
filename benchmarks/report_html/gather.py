"""From run folders to what the report says."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ... import __version__
from ...runtime.errors import InputError
from ..accuracy.merge import Runs, group_runs
from ..accuracy.record import EntrantRecord, RunRecord
from ..accuracy.scores import EntrantScores, score_runs
from ..accuracy.table import sequence_figure
from ..metrics import Protocol, Summary, main_figure, summarise
from .content import (
    LATENCY_SHARES,
    Content,
    Curve,
    DatasetPart,
    EntrantPart,
    Latency,
    RunPart,
    SequencePart,
    number_names,
)
from .differences import find_differences
from .illustrate import illustrate
from .speed import read_speed


def gather(runs: Sequence[Path], fps: Sequence[Path], pictures: int, title: str) -> Content:
    """Read and score `runs`, and cut out `pictures` best and worst moments of every entrant.

    Runs of one data set that go together make one part of the report. Raises BenchmarkError for runs that are damaged
    or contradict each other, FootageError where pictures are wanted and the footage cannot be read.
    """
    if pictures < 0:
        raise InputError(f"{pictures} pictures cannot be shown; give 0 or more")
    groups = group_runs(runs)
    speed = tuple(read_speed(path) for path in fps)
    scores = [score_runs(group) for group in groups]
    places = number_names([s.entrant.name for found in scores for s in found if s.sequences])
    parts = [_dataset_part(group, found, pictures, places) for group, found in zip(groups, scores, strict=True)]
    return Content(
        title=title,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        version=__version__,
        datasets=tuple(_with_own_names(parts)),
        runs=tuple(
            _run_part(folder, record)
            for group in groups
            for folder, record in zip(group.folders, group.records, strict=True)
        ),
        speed=speed,
    )


def _dataset_part(runs: Runs, found: Sequence[EntrantScores], pictures: int, places: Mapping[str, int]) -> DatasetPart:
    protocol = Protocol(runs.protocol)
    shown = [scores for scores in found if scores.sequences]
    common = _common(shown)
    summaries = {scores.entrant.name: _summary(scores, common, protocol) for scores in shown}
    figure = sequence_figure(protocol)
    moments = illustrate(runs, shown, pictures, places) if pictures else ()
    return DatasetPart(
        name=f"{runs.dataset}: {Path(runs.records[0].dataset.spec.partition(':')[2]).name}",
        protocol=protocol.value,
        starts=_way(runs),
        sequences=len(runs.sequences),
        compared=len(common),
        frames=sum(sequence.frames for sequence in runs.sequences),
        headline=main_figure(protocol),
        row_figure=figure,
        timing=_timing(runs),
        entrants=tuple(_entrant_part(scores, summaries[scores.entrant.name]) for scores in shown),
        differences=find_differences(shown, common, figure),
        rows=tuple(_rows(runs, shown, figure)),
        moments=moments,
        notes=tuple(_notes(found, shown, common)),
    )


def _common(shown: Sequence[EntrantScores]) -> set[str]:
    """The sequences that every entrant with a score finished."""
    scored = [{s.sequence.name for s in scores.sequences if s.scores} for scores in shown if scores.summary]
    return set.intersection(*scored) if scored else set()


def _summary(scores: EntrantScores, common: set[str], protocol: Protocol) -> Summary | None:
    """Over the common sequences; where there is none, over the entrant's own, as a note in the report then says."""
    if scores.summary is None or not common:
        return scores.summary
    return summarise([one for s in scores.sequences if s.sequence.name in common for one in s.scores], protocol)


def _notes(found: Sequence[EntrantScores], shown: Sequence[EntrantScores], common: set[str]) -> list[str]:
    notes = []
    empty = [scores.entrant.name for scores in found if not scores.sequences]
    if empty:
        notes.append(f"No sequence is finished by: {', '.join(empty)}. The same command does the rest.")
    hidden = [scores.entrant.name for scores in shown if scores.summary is None]
    if hidden:
        notes.append(f"The truth is hidden: only the benchmark's server can score the results of {', '.join(hidden)}.")
    if not common and len(shown) - len(hidden) > 1:
        notes.append("No sequence was finished by every entrant: each row is over other sequences.")
    return notes


def _entrant_part(scores: EntrantScores, summary: Summary | None) -> EntrantPart:
    figures = summary.figures if summary else {}
    curves = summary.curves if summary else {}
    return EntrantPart(
        name=scores.entrant.name,
        details=_details(scores),
        trained=scores.entrant.trained,
        sequences=len(scores.sequences),
        frames=summary.frames if summary else 0,
        figures={name: value for name, value in figures.items() if np.isfinite(value)},
        curves={name: Curve(curve.thresholds, curve.values) for name, curve in curves.items()},
        latency=_latency(scores),
    )


def _details(scores: EntrantScores) -> dict[str, str]:
    """What the entrant is and what ran it, by name; values that every run of it shares are given once."""
    record: EntrantRecord = scores.entrant
    details = {"kind": record.kind.value, "backend": record.backend, "precision": record.precision, **record.identity}
    for scored in scores.sequences:
        for track in scored.tracks:
            for name, value in track.engine.items():
                details.setdefault(name, value)
    return {name: value for name, value in details.items() if value}


def _latency(scores: EntrantScores) -> Latency | None:
    ms = 1e3 * scores.update_seconds
    speed = scores.frames_per_second
    if not len(ms) or speed is None:
        return None
    quantiles = np.quantile(ms, LATENCY_SHARES)
    median, p90, p99, worst = np.quantile(ms, (0.5, 0.9, 0.99, 1.0)).tolist()
    return Latency(len(ms), median, p90, p99, worst, speed, tuple(quantiles.tolist()))


def _rows(runs: Runs, shown: Sequence[EntrantScores], figure: str) -> list[SequencePart]:
    rows = []
    for sequence in runs.sequences:
        values: dict[str, float] = {}
        for scores in shown:
            scored = scores.of(sequence.name)
            value = scored.figure(figure) if scored else None
            if value is not None and np.isfinite(value):
                values[scores.entrant.name] = value
        rows.append(SequencePart(sequence.name, sequence.category, sequence.frames, values))
    return rows


def _timing(runs: Runs) -> str:
    sides = sorted({(record.jobs, record.threads) for record in runs.records})
    each = [
        f"{jobs} process{'' if jobs == 1 else 'es side by side'} with {threads} CPU thread{'' if threads == 1 else 's'}"
        for jobs, threads in sides
    ]
    machines = {record.machine.sentence for record in runs.records}
    several = " The runs come from several machines, listed below." if len(machines) > 1 else ""
    return f"The run had {' or '.join(each)}.{several}"


def _run_part(folder: Path, record: RunRecord) -> RunPart:
    most = record.dataset.most_frames
    options: Mapping[str, str] = {
        "data set": record.dataset.spec,
        "starts": record.starts.sentence,
        "frames of each sequence": "all" if most is None else f"the first {most}",
        "processes": f"{record.jobs} with {record.threads} CPU threads each",
    }
    return RunPart(
        folder=str(folder),
        created=record.created,
        command="\n".join(record.commands),
        machine=record.machine.sentence,
        versions={"ostrack-edge": record.version, **record.machine.libraries},
        options=dict(options),
    )


def _with_own_names(parts: Sequence[DatasetPart]) -> list[DatasetPart]:
    """The parts with a number behind the name where two are of one data set that was run in different ways."""
    names = [part.name for part in parts]
    return [
        replace(part, name=f"{part.name} ({number})") if names.count(part.name) > 1 else part
        for number, part in enumerate(parts, 1)
    ]


def _way(runs: Runs) -> str:
    most = runs.records[0].dataset.most_frames
    return runs.starts.sentence + (f"; the first {most} frames of each sequence" if most else "")
