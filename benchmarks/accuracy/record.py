"""`run.json`: what a run folder says of itself. The folder is enough to score and report a run without its data set.

RUN/run.json                                 the dataclasses below
RUN/truth/SEQUENCE.npz                       truth float64 [N, 4] (x, y, w, h, pixels), absent bool [N]
RUN/results/ENTRANT/SEQUENCE[__START].npz    see `store.Trajectory`
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ...runtime.errors import BenchmarkError, BundleError
from ...runtime.manifest import from_json
from ..machine import Machine
from ..metrics import Protocol
from ..output import write_json
from .starts import StartPlan

SCHEMA = 1
RECORD_NAME = "run.json"
NAMING = "--name NAME for the bundle, --peer NAME=KIND:PLACE, --results NAME=DIR"
"""How entrants are told apart on the command line."""


class EntrantKind(str, Enum):
    """What was tested: a bundle's graphs, the PyTorch reference, another tracker, or somebody's result files."""

    BUNDLE = "bundle"
    PYTORCH = "pytorch"
    PEER = "peer"
    RESULTS = "results"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class EntrantRecord:
    """`identity` names what decides the boxes (weights' hash, backend, precision, model files' hashes): two runs of one
    name join only where it is equal. `trained` is False for made-up weights, whose score is noise. `precision` and
    `backend` are empty where there are none."""

    name: str
    kind: EntrantKind
    backend: str
    precision: str
    trained: bool
    identity: dict[str, str]


@dataclass(frozen=True)
class SequenceRecord:
    """`frames`: how many are tracked; `category` is None where the data set names none."""

    name: str
    category: str | None
    frames: int


@dataclass(frozen=True)
class DatasetRecord:
    """`spec`: as given to --dataset; `most_frames`: only so many frames of every sequence were taken, None for all;
    `origin`: what the benchmark's own files count the first pixel as."""

    name: str
    spec: str
    protocol: Protocol
    most_frames: int | None
    sequences: tuple[SequenceRecord, ...]
    origin: int = 0


@dataclass(frozen=True)
class RunRecord:
    """`commands`: every command line that worked on the folder; `jobs` and `threads`: processes side by side, and CPU
    threads of each, in the last one, as speeds depend on them."""

    schema: int
    created: str
    version: str
    commands: tuple[str, ...]
    dataset: DatasetRecord
    starts: StartPlan
    jobs: int
    threads: int
    machine: Machine
    entrants: tuple[EntrantRecord, ...]


def read_record(folder: Path) -> RunRecord:
    """Raises BenchmarkError where the folder holds no run, a damaged one, or one of a newer package."""
    path = folder / RECORD_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        schema = data["schema"]
    except (FileNotFoundError, NotADirectoryError):
        raise BenchmarkError(
            f"{folder} is no run: it holds no {RECORD_NAME}; make one with: ostrack-bench accuracy ... --out {folder}"
        ) from None
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BenchmarkError(f"{path} is damaged ({error}); run it again into another folder") from None
    if schema != SCHEMA:
        raise BenchmarkError(f"{path} has schema {schema}, this package reads {SCHEMA}; use the package that wrote it")
    try:
        return from_json(RunRecord, data, RECORD_NAME)
    except BundleError as error:
        raise BenchmarkError(f"{path} is damaged ({error}); run it again into another folder") from None


def write_record(folder: Path, record: RunRecord) -> None:
    """Raises OSError; the old record stays until the new one is whole."""
    write_json(folder / RECORD_NAME, record)


def continue_record(old: RunRecord, new: RunRecord, folder: Path) -> RunRecord:
    """What the folder says after `new` also works on it. Raises BenchmarkError where the two do not go together."""
    check_same_protocol(old, new, folder)
    return replace(
        new,
        created=old.created,
        commands=(*old.commands, *(c for c in new.commands if c not in old.commands)),
        dataset=replace(new.dataset, sequences=join_sequences(old.dataset.sequences, new.dataset.sequences, folder)),
        entrants=join_entrants(old.entrants, new.entrants, folder),
    )


def check_same_protocol(old: RunRecord, new: RunRecord, where: Path, other: Path | None = None) -> None:
    """Raises BenchmarkError unless both took the same data set, metrics, starts and number of frames.

    where: the folder of `old`; other: that of `new`, None where it is to go into the same one.
    """
    pairs = (
        ("data set", old.dataset.name, new.dataset.name),
        ("metrics", old.dataset.protocol, new.dataset.protocol),
        ("frames of each sequence", old.dataset.most_frames or "all", new.dataset.most_frames or "all"),
        ("starts", old.starts.sentence, new.starts.sentence),
    )
    for what, before, now in pairs:
        if before != now and other is not None:
            raise BenchmarkError(
                f"{where} and {other} hold runs with other {what} ({before} and {now}); give one alone"
            )
        if before != now:
            raise BenchmarkError(f"{where} holds a run with other {what} ({before}, not {now}); give another folder")


def join_sequences(
    old: tuple[SequenceRecord, ...], new: tuple[SequenceRecord, ...], where: Path | str, other: Path | None = None
) -> tuple[SequenceRecord, ...]:
    """Both runs' sequences; where, other: as for `check_same_protocol`.

    Raises BenchmarkError where one has another number of frames or category in each.
    """
    found = {s.name: s for s in old}
    for sequence in new:
        before = found.setdefault(sequence.name, sequence)
        if before != sequence:
            raise BenchmarkError(
                f"{where} holds {sequence.name} with {before.frames} frames of category {before.category}, and "
                f"{'not' if other is None else other} {sequence.frames} of {sequence.category}: "
                "it is another sequence; give another folder"
            )
    return tuple(found.values())


def join_entrants(
    old: tuple[EntrantRecord, ...], new: tuple[EntrantRecord, ...], where: Path | str, other: Path | None = None
) -> tuple[EntrantRecord, ...]:
    """Both runs' entrants; where, other: as for `check_same_protocol`.

    Raises BenchmarkError where one name stands for two trackers.
    """
    found = {e.name: e for e in old}
    for entrant in new:
        before = found.setdefault(entrant.name, entrant)
        if before != entrant:
            keys = sorted({*before.identity, *entrant.identity})
            changed = [k for k in keys if before.identity.get(k) != entrant.identity.get(k)]
            reason = f"another {entrant.name} (other {', '.join(changed) or 'kind'})"
            if other is not None:
                raise BenchmarkError(f"{where} holds {reason} than {other}; give two folders alone to compare them")
            raise BenchmarkError(f"{where} holds {reason}; give another folder, or another name ({NAMING})")
    return tuple(found.values())
