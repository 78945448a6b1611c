"""Which entrants differ, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..accuracy.compare import per_frame
from ..accuracy.paired import frames_interval, sequence_weights, sequences_interval
from ..accuracy.record import EntrantKind
from ..accuracy.scores import EntrantScores, Scored
from ..bootstrap import Interval
from .content import Difference


def find_differences(shown: Sequence[EntrantScores], common: set[str], figure: str) -> tuple[Difference, ...]:
    """Every entrant against the PyTorch reference, or against the first entrant where that was not run.

    Over the sequences `common` to all and over their frames, in `figure` of each sequence,
    which under GOT10K weigh by their frames. With one sequence alone
    there is no interval over sequences.
    """
    scored = [scores for scores in shown if scores.summary is not None]
    if len(scored) < 2 or not common:
        return ()
    base = next((scores for scores in scored if scores.entrant.kind is EntrantKind.PYTORCH), scored[0])
    return tuple(
        Difference(
            entrant=scores.entrant.name,
            baseline=base.entrant.name,
            figure=figure,
            over=interval.over,
            sequences=len(common),
            value=interval.difference,
            low=interval.low,
            high=interval.high,
            found=interval.differs,
        )
        for scores in scored
        if scores is not base
        for interval in _intervals(_of(scores, common), _of(base, common), figure)
    )


def _intervals(one: Sequence[Scored], other: Sequence[Scored], figure: str) -> Iterator[Interval]:
    weights = sequence_weights([scored.scores[0].frames for scored in one], figure)
    if len(one) > 1:
        values = [[_figure(scored, figure) for scored in side] for side in (one, other)]
        yield sequences_interval(values[0], values[1], weights)
    frames = [[per_frame(scored, figure) for scored in side] for side in (one, other)]
    yield frames_interval(frames[0], frames[1], weights)


def _figure(scored: Scored, figure: str) -> float:
    value = scored.figure(figure)
    assert value is not None, "a common sequence is one that every entrant has a score of"
    return value


def _of(scores: EntrantScores, names: set[str]) -> list[Scored]:
    """The named sequences, in an order that is the same for every entrant."""
    return sorted((s for s in scores.sequences if s.sequence.name in names), key=lambda s: s.sequence.name)
