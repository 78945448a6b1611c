"""The figures of a data set, from the scores of its sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...runtime.errors import BenchmarkError
from .anchors import EAO_HIGH, EAO_LOW, accuracy_robustness, eao_figure, expected_overlap
from .curves import GOT10K_OVERLAPS, Curve, above, mean_curve
from .protocols import Protocol
from .sequence import SequenceScore


@dataclass(frozen=True)
class Summary:
    """figures: by the names in FIGURES; curves: by "success", "precision", "norm_precision", under VOT2020 also "eao",
    whose thresholds are run lengths in frames."""

    protocol: Protocol
    sequences: int
    frames: int
    figures: dict[str, float]
    curves: dict[str, Curve]


def summarise(
    scores: Sequence[SequenceScore],
    protocol: Protocol | None = None,
    *,
    eao_lengths: tuple[int, int] = (EAO_LOW, EAO_HIGH),
) -> Summary:
    """The mean over sequences of every figure and curve, except where the benchmark pools otherwise.

    GOT10K pools the frames of all sequences for AO, SR and the success curve, and averages over classes for mAO and mSR
    where every sequence has one. VOT2020 weighs accuracy by tracked frames and robustness by sequence length;
    eao_lengths: the run lengths between which EAO is averaged; it is left out
    where no run is longer than the first of them. protocol: what the scores must have been made under.

    Raises BenchmarkError where there is none, or where they are of several protocols.
    """
    if not scores:
        raise BenchmarkError("there are no scores to summarise; score at least one sequence")
    kinds = {score.protocol for score in scores}
    protocol = scores[0].protocol if protocol is None else protocol
    if kinds != {protocol}:
        found = ", ".join(sorted(map(str, kinds)))
        raise BenchmarkError(f"scores made under {found} cannot be summarised as {protocol}; score them all alike")
    figures = {name: float(np.mean([score.figures[name] for score in scores])) for name in scores[0].figures}
    curves = {name: mean_curve([score.curves[name] for score in scores]) for name in scores[0].curves}
    if protocol is Protocol.GOT10K:
        figures |= _got10k(scores)
        pooled = _frames(scores)
        curves["success"] = above(pooled, GOT10K_OVERLAPS, len(pooled))
    if protocol is Protocol.VOT2020:
        figures |= _vot(scores, eao_lengths, curves)
    return Summary(protocol, len(scores), sum(score.frames for score in scores), figures, curves)


def _frames(scores: Sequence[SequenceScore]) -> np.ndarray:
    ious = np.concatenate([score.iou for score in scores])
    return ious[np.isfinite(ious)]


def _got10k(scores: Sequence[SequenceScore]) -> dict[str, float]:
    figures: dict[str, float] = dict(zip(("ao", "sr50", "sr75"), _overlap_figures(scores), strict=True))
    if all(score.category is not None for score in scores):
        classes = sorted({str(score.category) for score in scores})
        each = [_overlap_figures([s for s in scores if s.category == name]) for name in classes]
        figures |= dict(zip(("mao", "msr50", "msr75"), np.mean(each, axis=0).tolist(), strict=True))
    return figures


def _overlap_figures(scores: Sequence[SequenceScore]) -> tuple[float, float, float]:
    ious = _frames(scores)
    return float(ious.mean()), float((ious > 0.5).mean()), float((ious > 0.75).mean())


def _vot(scores: Sequence[SequenceScore], lengths: tuple[int, int], curves: dict[str, Curve]) -> dict[str, float]:
    low, high = lengths
    if not 1 <= low < high:
        raise BenchmarkError(f"EAO needs run lengths of at least 1 that rise, not {low} and {high}")
    runs = [score.runs for score in scores]
    accuracy, robustness = accuracy_robustness(runs, [score.length for score in scores])
    curve = expected_overlap(runs, high)
    curves["eao"] = Curve(tuple(map(float, range(high))), tuple(curve.tolist()))
    figures = {"accuracy": accuracy, "robustness": robustness}
    # Lengths that no run reached count as 0: nothing but zeros would be averaged, or what failures leave.
    if any(len(run.overlaps) > low for of_sequence in runs for run in of_sequence):
        figures["eao"] = eao_figure(curve, low, high)
    return figures
