"""Run folders read together: several machines' parts of one run, or runs of other entrants on the same sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...runtime.errors import BenchmarkError
from ..metrics import Anchor, AnchoredRun, Protocol
from .record import (
    EntrantRecord,
    RunRecord,
    SequenceRecord,
    check_same_protocol,
    join_entrants,
    join_sequences,
    read_record,
)
from .starts import Start, StartPlan, plan_starts
from .store import Trajectory, Truth, read_trajectory, read_truth, result_path, same_truth, truth_file


@dataclass(frozen=True, eq=False)
class Track:
    """One entrant through one whole sequence, from one seed's starts.

    boxes: float64 [N, 4], x, y, w, h in pixels; scores and seconds: float64 [N], as in `Trajectory`; starts: the frames
    in which the tracker was put on a given box, 0 first. update_seconds: float64 [M], of every `update` whose time is
    known.
    runs: VOT's, one per anchor, where that was asked for; boxes and scores are then those of the first. size: width and
    height of the frames; engine: what ran it.
    """

    entrant: str
    sequence: str
    seed: int | None
    boxes: np.ndarray
    scores: np.ndarray
    seconds: np.ndarray
    starts: tuple[int, ...]
    update_seconds: np.ndarray
    runs: tuple[AnchoredRun, ...]
    size: tuple[int, int]
    engine: dict[str, str]


@dataclass(frozen=True)
class Runs:
    """Folders that go together: same data set, metrics, starts and numbers of frames; same entrants by name."""

    folders: tuple[Path, ...]
    records: tuple[RunRecord, ...]
    sequences: tuple[SequenceRecord, ...]
    entrants: tuple[EntrantRecord, ...]

    @property
    def dataset(self) -> str:
        return self.records[0].dataset.name

    @property
    def protocol(self) -> Protocol:
        return self.records[0].dataset.protocol

    @property
    def starts(self) -> StartPlan:
        return self.records[0].starts

    def truth(self, sequence: str) -> Truth:
        """Raises BenchmarkError where it is missing or damaged."""
        folder = next((f for f in self.folders if truth_file(f, sequence).exists()), self.folders[0])
        return read_truth(folder, sequence)

    def entrant(self, name: str) -> EntrantRecord:
        """Raises BenchmarkError for a name that there is not."""
        for entrant in self.entrants:
            if entrant.name == name:
                return entrant
        raise BenchmarkError(f"there is no entrant {name!r}; there are: {', '.join(e.name for e in self.entrants)}")

    def tracks(self, entrant: str, sequence: SequenceRecord) -> list[Track]:
        """What the entrant gave on the sequence: one per seed, those that are finished.

        Raises BenchmarkError for a damaged file, and where two folders hold different results.
        """
        truth = self.truth(sequence.name)
        starts = plan_starts(sequence.name, truth, sequence.frames, self.starts)
        found = []
        for seed in dict.fromkeys(start.seed for start in starts):
            parts = [self._trajectory(entrant, sequence.name, s) for s in starts if s.seed == seed]
            whole = [part for part in parts if part is not None]
            if len(whole) == len(parts):
                found.append(_join(entrant, sequence, seed, whole, self.starts.anchored))
        return found

    def _trajectory(self, entrant: str, sequence: str, start: Start) -> Trajectory | None:
        found: Trajectory | None = None
        for folder in self.folders:
            try:
                read = read_trajectory(result_path(folder, entrant, sequence, start.suffix))
            except FileNotFoundError:
                continue
            if found is not None and not np.array_equal(found.boxes, read.boxes, equal_nan=True):
                raise BenchmarkError(
                    f"{entrant} has different results for {sequence}{start.suffix} in "
                    f"{' and '.join(map(str, self.folders))}; they are runs to compare, not parts of one: leave one out"
                )
            found = found or read
        return found


def open_runs(folders: Sequence[Path]) -> Runs:
    """Read run folders as one. Raises BenchmarkError where one is no run, or where they do not go together."""
    if not folders:
        raise BenchmarkError("no run was named; give at least one folder that ostrack-bench accuracy made with --out")
    records = [read_record(folder) for folder in folders]
    first = records[0]
    sequences, entrants = first.dataset.sequences, first.entrants
    for i, (folder, record) in enumerate(zip(folders[1:], records[1:], strict=True), 1):
        check_same_protocol(first, record, folders[0], folder)
        before = " or ".join(map(str, folders[:i]))
        sequences = join_sequences(sequences, record.dataset.sequences, before, folder)
        entrants = join_entrants(entrants, record.entrants, before, folder)
    runs = Runs(tuple(folders), tuple(records), sequences, entrants)
    _check_truths(runs)
    return runs


def group_runs(folders: Sequence[Path]) -> list[Runs]:
    """Read run folders as one per data set, metrics, starts and number of frames, in the order in which they come."""
    groups: dict[tuple, list[Path]] = {}
    for folder in folders:
        record = read_record(folder)
        dataset = record.dataset
        groups.setdefault((dataset.name, dataset.protocol, dataset.most_frames, record.starts), []).append(folder)
    return [open_runs(group) for group in groups.values()]


def _check_truths(runs: Runs) -> None:
    """Raises BenchmarkError where two folders hold different truths of one sequence."""
    for sequence in runs.sequences:
        holding = [f for f in runs.folders if truth_file(f, sequence.name).exists()]
        truths = [read_truth(folder, sequence.name) for folder in holding]
        for folder, truth in zip(holding[1:], truths[1:], strict=True):
            if not same_truth(truths[0], truth):
                raise BenchmarkError(
                    f"{holding[0]} and {folder} hold different truths of {sequence.name}: they are of other data"
                )


def _join(
    entrant: str, sequence: SequenceRecord, seed: int | None, parts: Sequence[Trajectory], anchored: bool
) -> Track:
    updates = np.concatenate([part.seconds[1:] for part in parts])
    runs = tuple(AnchoredRun(Anchor(p.first, p.backward), p.boxes) for p in parts) if anchored else ()
    shown = parts[:1] if anchored else parts
    track = Track(
        entrant=entrant,
        sequence=sequence.name,
        seed=seed,
        boxes=np.concatenate([part.boxes for part in shown]),
        scores=np.concatenate([part.scores for part in shown]),
        seconds=np.concatenate([part.seconds for part in shown]),
        starts=tuple(part.first for part in shown),
        update_seconds=updates[np.isfinite(updates)],
        runs=runs,
        size=parts[0].size,
        engine=parts[0].engine,
    )
    if not anchored and len(track.boxes) != sequence.frames:
        raise BenchmarkError(
            f"{entrant} has {len(track.boxes)} boxes for the {sequence.frames} frames of {sequence.name}; "
            "delete its results there and run the same command again"
        )
    return track
