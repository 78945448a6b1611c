"""Figures of a run: every finished track scored under its benchmark's protocol, and summed up per entrant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..metrics import NothingToScoreError, Protocol, SequenceScore, Summary, score, score_anchored, summarise
from .merge import Runs, Track
from .record import EntrantRecord, SequenceRecord
from .store import Truth


@dataclass(frozen=True, eq=False)
class Scored:
    """One sequence of one entrant: `scores` holds one per seed, in the order of `tracks`; none where the truth is
    hidden, or where no frame has one that counts: `unscoreable`."""

    sequence: SequenceRecord
    tracks: tuple[Track, ...]
    scores: tuple[SequenceScore, ...]
    unscoreable: bool = False

    def figure(self, name: str) -> float | None:
        """The mean over the seeds; None where nothing was scored or the protocol has no such figure."""
        values = [s.figures[name] for s in self.scores if name in s.figures]
        return float(np.mean(values)) if values else None


@dataclass(frozen=True, eq=False)
class EntrantScores:
    """What one entrant reached. `summary` is None where no sequence could be scored; `update_seconds`: float64 [M], of
    every `update` of all its tracks."""

    entrant: EntrantRecord
    sequences: tuple[Scored, ...]
    summary: Summary | None
    update_seconds: np.ndarray

    @property
    def frames_per_second(self) -> float | None:
        """Updates over the time that they took together, reading frames left out; None where no time is known."""
        total = float(self.update_seconds.sum())
        return len(self.update_seconds) / total if total > 0 else None

    def of(self, sequence: str) -> Scored | None:
        return next((s for s in self.sequences if s.sequence.name == sequence), None)


def score_runs(runs: Runs) -> list[EntrantScores]:
    """Every entrant's scores over the sequences that it finished. Raises BenchmarkError for damaged results."""
    return [score_entrant(runs, entrant) for entrant in runs.entrants]


def score_entrant(runs: Runs, entrant: EntrantRecord) -> EntrantScores:
    """Raises BenchmarkError for damaged results."""
    protocol = runs.protocol
    sequences = tuple(_scored(runs, entrant, protocol))
    scores = [s for sequence in sequences for s in sequence.scores]
    seconds = [track.update_seconds for sequence in sequences for track in sequence.tracks]
    return EntrantScores(
        entrant,
        sequences,
        summarise(scores, protocol) if scores else None,
        np.concatenate(seconds) if seconds else np.zeros(0),
    )


def _scored(runs: Runs, entrant: EntrantRecord, protocol: Protocol) -> Iterator[Scored]:
    for sequence in runs.sequences:
        tracks = tuple(runs.tracks(entrant.name, sequence))
        if tracks:
            truth = runs.truth(sequence.name)
            if len(truth.boxes) < sequence.frames:
                yield Scored(sequence, tracks, ())
                continue
            try:
                scores = tuple(score_track(t, truth, protocol, sequence.category) for t in tracks)
            except NothingToScoreError:
                yield Scored(sequence, tracks, (), unscoreable=True)
            else:
                yield Scored(sequence, tracks, scores)


def score_track(track: Track, truth: Truth, protocol: Protocol, category: str | None = None) -> SequenceScore:
    """Frames in which the tracker was put on the truth again are left out, but for the first, which the protocol counts
    or not. Raises NothingToScoreError where no frame can be scored."""
    if protocol is Protocol.VOT2020 and track.runs:
        return score_anchored(
            truth.boxes, truth.absent, list(track.runs), size=track.size, name=track.sequence, category=category
        )
    kept = np.ones(len(track.boxes), bool)
    kept[list(track.starts[1:])] = False
    return score(
        truth.boxes[kept],
        truth.absent[kept],
        track.boxes[kept],
        protocol,
        size=track.size,
        name=track.sequence,
        category=category,
    )
