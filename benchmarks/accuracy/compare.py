"""Two entrants on the same sequences: which one is better, and whether the difference is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...runtime.errors import BenchmarkError
from ..bootstrap import Interval, over_frames
from ..metrics import FIGURES, SequenceScore
from .merge import Runs, open_runs
from .paired import frames_interval, sequence_weights, sequences_interval
from .record import check_same_protocol
from .scores import EntrantScores, Scored, score_entrant
from .table import sequence_figure


@dataclass(frozen=True)
class SequenceComparison:
    """One sequence: `a` and `b` are the two figures, `interval` that of a minus b over the sequence's frames."""

    sequence: str
    frames: int
    a: float
    b: float
    interval: Interval


@dataclass(frozen=True)
class Comparison:
    """`figure` is the name in FIGURES; `a` and `b` are its means over the sequences that both finished, under GOT10K
    weighted by their frames as in its table, and the intervals are those of a minus b. `left_out`: sequences that only
    one of them finished. `noise`: which of the two have made-up weights."""

    dataset: str
    figure: str
    a_name: str
    b_name: str
    a: float
    b: float
    over_sequences: Interval
    over_frames: Interval
    sequences: tuple[SequenceComparison, ...]
    left_out: tuple[str, ...]
    noise: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Side:
    name: str
    scores: EntrantScores

    @property
    def scored(self) -> dict[str, Scored]:
        return {s.sequence.name: s for s in self.scores.sequences if s.scores}


def compare_runs(folders: Sequence[Path], baseline: str | None = None, seed: int = 0) -> list[Comparison]:
    """Compare what run folders hold.

    Two folders with results of the same entrants on the same sequences: each of those entrants in the first with itself
    in the second. Otherwise, as for two parts of one run, the folders are
    joined, and every entrant is compared with `baseline`, or with the first one. Raises BenchmarkError where there is
    nothing to compare, or where the folders do not go together.
    """
    if len(folders) == 2 and baseline is None:
        first, second = (open_runs([folder]) for folder in folders)
        shared = [e.name for e in first.entrants if e.name in {s.name for s in second.entrants}]
        if shared:
            check_same_protocol(first.records[0], second.records[0], folders[0], folders[1])
        sides = [(_side(first, name, folders[0]), _side(second, name, folders[1])) for name in shared]
        found = [_compare(first, a, b, seed) for a, b in sides if a.scored.keys() & b.scored.keys()]
        if found:
            return found
    runs = open_runs(folders)
    names = [e.name for e in runs.entrants]
    chosen = runs.entrant(baseline).name if baseline is not None else names[0]
    others = [name for name in names if name != chosen]
    if not others:
        raise BenchmarkError(f"{' and '.join(map(str, folders))} hold {chosen} alone; name a run of another tracker")
    return [_compare(runs, _side(runs, name), _side(runs, chosen), seed) for name in others]


def _side(runs: Runs, name: str, folder: Path | None = None) -> _Side:
    label = f"{name} in {folder}" if folder is not None else name
    return _Side(label, score_entrant(runs, runs.entrant(name)))


def _compare(runs: Runs, a: _Side, b: _Side, seed: int) -> Comparison:
    figure = sequence_figure(runs.protocol)
    found, other = a.scored, b.scored
    both = [name for name in found if name in other]
    if not both:
        raise BenchmarkError(f"{a.name} and {b.name} have no scored sequence in common; run both on the same ones")
    rows = [_row(found[name], other[name], figure, seed) for name in both]
    values = [[row.a for row in rows], [row.b for row in rows]]
    frames = [[per_frame(side[name], figure) for name in both] for side in (found, other)]
    weights = sequence_weights([row.frames for row in rows], figure)
    return Comparison(
        dataset=runs.dataset,
        figure=figure,
        a_name=a.name,
        b_name=b.name,
        a=float(np.average(values[0], weights=weights)),
        b=float(np.average(values[1], weights=weights)),
        over_sequences=sequences_interval(values[0], values[1], weights, seed),
        over_frames=frames_interval(frames[0], frames[1], weights, seed),
        sequences=tuple(rows),
        left_out=tuple(sorted(found.keys() ^ other.keys())),
        noise=tuple(side.name for side in (a, b) if not side.scores.entrant.trained),
    )


def _row(a: Scored, b: Scored, figure: str, seed: int) -> SequenceComparison:
    if a.sequence != b.sequence or a.scores[0].frames != b.scores[0].frames:
        raise BenchmarkError(f"the two runs' {a.sequence.name} are different sequences; compare runs of the same data")
    one, other = (float(np.mean([score.figures[figure] for score in side.scores])) for side in (a, b))
    interval = over_frames([per_frame(a, figure)], [per_frame(b, figure)], seed=seed)
    return SequenceComparison(a.sequence.name, a.scores[0].frames, one, other, interval)


def per_frame(scored: Scored, figure: str) -> np.ndarray:
    """float64 [frames]: values whose mean is the figure, averaged over the seeds.

    figure: "success_auc", or one that is a mean of IoUs ("ao", "miou").
    """
    return np.mean([_per_frame(score, figure) for score in scored.scores], axis=0)


def _per_frame(score: SequenceScore, figure: str) -> np.ndarray:
    return score.success_per_frame if figure == "success_auc" else score.iou[np.isfinite(score.iou)]


def verdict(comparison: Comparison) -> str:
    """One sentence: whether the difference is one, over other sequences and over more footage of these."""
    sure = comparison.over_sequences
    better, worse = (comparison.a_name, comparison.b_name)
    if sure.difference < 0:
        better, worse = worse, better
    title = FIGURES[comparison.figure].title
    apart = f"{abs(sure.difference):.3f} in {title}"
    if sure.differs and comparison.over_frames.differs:
        return f"{better} is better than {worse} by {apart}"
    if comparison.over_frames.differs:
        return (
            f"{better} is better than {worse} by {apart} on these sequences, which are too few, or too unlike each "
            "other, to say so of others"
        )
    return f"no difference between {comparison.a_name} and {comparison.b_name} is shown: {apart} is within chance"
