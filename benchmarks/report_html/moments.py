"""Which frames of a run are worth a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LOST = 0.1
"""IoU up to which a target counts as lost here."""

Overlaps = Mapping[str, Mapping[str, np.ndarray]]
"""By entrant, then by sequence: IoU with the truth by frame, float64 [N], NaN where a frame is not counted."""


@dataclass(frozen=True)
class Choice:
    """A frame, counted from 0, and why it was chosen."""

    title: str
    sequence: str
    frame: int


def choose_moments(overlaps: Overlaps, each: int) -> list[Choice]:
    """The `each` best and worst moments of every entrant, a sequence each, and where each later one parts most from the
    first. A frame that is chosen twice is given once."""
    found: dict[tuple[str, int], Choice] = {}
    for choice in [*_extremes(overlaps, each), *_partings(overlaps, each)]:
        found.setdefault((choice.sequence, choice.frame), choice)
    return list(found.values())


def _extremes(overlaps: Overlaps, each: int) -> list[Choice]:
    choices = []
    for entrant, sequences in overlaps.items():
        means = {name: float(np.nanmean(iou)) for name, iou in sequences.items() if np.isfinite(iou).any()}
        ranked = sorted(means, key=lambda name: (means[name], name))
        worst = ranked[: min(each, len(ranked))]
        best = [name for name in reversed(ranked) if name not in worst][:each]
        choices += [_best(entrant, name, sequences[name], means[name]) for name in best]
        choices += [_worst(entrant, name, sequences[name]) for name in worst]
    return choices


def _best(entrant: str, sequence: str, iou: np.ndarray, mean: float) -> Choice:
    """The highest IoU in the second half: near the first box every tracker is good."""
    later = iou.copy()
    later[: len(iou) // 2] = np.nan
    frame = int(np.nanargmax(later if np.isfinite(later).any() else iou))
    return Choice(f"{entrant} at its best (mean IoU {mean:.2f} here)", sequence, frame)


def _worst(entrant: str, sequence: str, iou: np.ndarray) -> Choice:
    """The middle of the longest time that the target was lost; the lowest IoU where it never was."""
    start, length = longest_run(np.nan_to_num(iou, nan=1.0) <= LOST)
    if not length:
        lowest = int(np.nanargmin(iou))
        return Choice(f"{entrant} at its worst (IoU {iou[lowest]:.2f})", sequence, lowest)
    times = "a frame" if length == 1 else f"{length} frames"
    return Choice(f"{entrant} at its worst (IoU {LOST:g} or less for {times})", sequence, start + length // 2)


def _partings(overlaps: Overlaps, each: int) -> list[Choice]:
    if not overlaps or not each:
        return []
    first, *others = overlaps
    choices = []
    for other in others:
        gaps = {
            name: np.abs(np.nan_to_num(iou - overlaps[first][name]))
            for name, iou in overlaps[other].items()
            if name in overlaps[first] and len(iou) == len(overlaps[first][name])
        }
        widest = sorted(gaps, key=lambda name: (-gaps[name].max(initial=0), name))[:1]
        choices += [
            Choice(f"{first} and {other} furthest apart", name, int(gaps[name].argmax()))
            for name in widest
            if gaps[name].max(initial=0) > 0
        ]
    return choices


def longest_run(marked: np.ndarray) -> tuple[int, int]:
    """Start and length of the longest run of True in bool [N], the first of equals; length 0 where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])
