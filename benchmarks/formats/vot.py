"""Trajectories of the VOT toolkit: results/TRACKER/EXPERIMENT/SEQUENCE/SEQUENCE_ANCHOR.txt in its workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...runtime.errors import BenchmarkError
from ...runtime.files import check_place, whole_or_nothing
from ..metrics import Anchor, AnchoredRun
from .text import format_boxes, parse_boxes

_INITIALISED = "1\n"


def write_vot_runs(
    folder: Path, sequence: str, runs: Sequence[AnchoredRun], seconds: Sequence[np.ndarray] | None = None
) -> None:
    """Write the runs of one sequence as the toolkit's multi-start experiment keeps them, in `folder`/`sequence`.

    folder: results/TRACKER/baseline in a workspace; seconds: float64 [M] per run, what each frame took. The first line
    of a run says that the tracker was initialised there. Raises OutputError, OSError, and BenchmarkError for two runs
    from one frame, which the toolkit has no names for, and for a frame without a box.
    """
    if len({run.anchor.frame for run in runs}) < len(runs):
        raise BenchmarkError(f"{sequence} has two runs from the same frame; the VOT toolkit keeps one per anchor")
    for i, run in enumerate(runs):
        if not np.isfinite(run.boxes[1:]).all():
            raise BenchmarkError(f"{sequence}: the run from frame {run.anchor.frame} has a frame without a box")
        place = folder / sequence / f"{sequence}_{run.anchor.frame:08d}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        _write(place, _INITIALISED + format_boxes(run.boxes[1:]))
        if seconds is not None:
            text = "".join(f"{value:.8f}\n" for value in seconds[i].tolist())
            _write(place.with_name(f"{place.stem}_time.value"), text)


def read_vot_runs(folder: Path, sequence: str, truth: np.ndarray, anchors: Sequence[Anchor]) -> list[AnchoredRun]:
    """Read the runs of one sequence, from every anchor.

    folder: as for writing; the toolkit writes text where its environment has VOT_RESULTS_BINARY=false. truth: float64
    [N, 4], where the tracker was initialised. Raises BenchmarkError for a run that is missing, or by its length of
    another sequence; OSError.
    """
    runs = []
    for anchor in anchors:
        place = folder / sequence / f"{sequence}_{anchor.frame:08d}.txt"
        if not place.is_file():
            hint = (
                "; have the toolkit write text, with VOT_RESULTS_BINARY=false in its environment"
                if place.with_suffix(".bin").is_file()
                else ""
            )
            raise BenchmarkError(f"{sequence} has no run from frame {anchor.frame}: looked for {place}{hint}")
        boxes = parse_boxes(place.read_text(encoding="utf-8"), str(place))
        expected = len(anchor.order(len(truth)))
        if len(boxes) != expected:
            raise BenchmarkError(f"{place} has {len(boxes)} boxes, and there are {expected} frames from there")
        boxes[0] = truth[anchor.frame]
        runs.append(AnchoredRun(anchor, boxes))
    return runs


def _write(path: Path, text: str) -> None:
    check_place(path)
    with whole_or_nothing(path) as partial:
        partial.write_text(text, encoding="utf-8")
