"""Somebody's result files as an entrant: read, checked against the sequences, and kept in the run folder like ours."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...runtime.errors import BenchmarkError
from ..formats import Track, check_track, open_results, pixel_origin, read_vot_runs
from ..metrics import Anchor, AnchoredRun
from .plan import RunOptions, frame_count, truth_of
from .record import EntrantKind, EntrantRecord
from .starts import plan_starts
from .store import Trajectory, result_path, write_trajectory

if TYPE_CHECKING:
    from ...datasets.sequence import Sequence as Annotated


@dataclass(frozen=True, eq=False)
class GivenResults:
    """`parts`: by sequence and start's suffix, what the files hold."""

    record: EntrantRecord
    parts: dict[tuple[str, str], Trajectory]


def read_given(text: str, options: RunOptions, sequences: Sequence[Annotated]) -> GivenResults:
    """The results named by `NAME=DIR`, or `DIR` alone (its own name), for the sequences that they hold.

    Files are looked for in every benchmark's layout, in a folder or a zip; of several repetitions the first is taken.
    Under vot2020, DIR is the toolkit's results/TRACKER/baseline. Raises BenchmarkError where there are none, or where
    they are of other sequences or starts.
    """
    name, equals, place = text.partition("=")
    path = Path(place if equals else text).expanduser()
    name = name if equals else path.absolute().name.removesuffix(".zip")
    if not name.strip() or any(c in name for c in "/\\,"):
        raise BenchmarkError(f"{name!r} is no name for an entrant; give --results NAME={path}")
    if options.starts.seeds or options.starts.restart_every is not None:
        raise BenchmarkError(
            f"the results in {path} come from one initialisation; score them without --restart-every and --jitter"
        )
    parts = _anchored(path, options, sequences) if options.starts.anchored else _plain(path, options, sequences)
    digest = hashlib.sha256()
    for (sequence, suffix), part in sorted(parts.items()):
        digest.update(f"{sequence}{suffix} {part.boxes.shape}".encode() + part.boxes.tobytes())
    record = EntrantRecord(name, EntrantKind.RESULTS, "", "", True, {"boxes": digest.hexdigest()})
    return GivenResults(record, parts)


def store_given(given: GivenResults, out: Path) -> None:
    """Write them into the run folder. Raises OSError."""
    for (sequence, suffix), part in given.parts.items():
        write_trajectory(result_path(out, given.record.name, sequence, suffix), part)


def _plain(path: Path, options: RunOptions, sequences: Sequence[Annotated]) -> dict[tuple[str, str], Trajectory]:
    results = open_results(path, [s.name for s in sequences])
    held = [s for s in sequences if s.name in results.files]
    tracks = {s.name: results.read(s.name)[0] for s in held}
    origin = pixel_origin(tracks.values(), [s.truth for s in held])
    found = {}
    for sequence in held:
        track = tracks[sequence.name]
        track = Track(track.boxes - [origin, origin, 0, 0], track.seconds)
        check_track(track, sequence.truth, len(sequence.frames), sequence.name, results.where(sequence.name))
        n = frame_count(sequence, options)
        seconds = np.full(n, math.nan) if track.seconds is None else track.seconds[:n]
        found[sequence.name, ""] = _trajectory(sequence, Anchor(0), track.boxes[:n], seconds, path)
    return found


def _anchored(path: Path, options: RunOptions, sequences: Sequence[Annotated]) -> dict[tuple[str, str], Trajectory]:
    if options.most_frames is not None:
        raise BenchmarkError(f"the runs in {path} go on to the end of the sequences; score them without --frames")
    found = {}
    for sequence in sequences:
        starts = plan_starts(sequence.name, truth_of(sequence, options), len(sequence.frames), options.starts)
        anchors = [Anchor(start.first, start.backward) for start in starts]
        runs: list[AnchoredRun] = read_vot_runs(path, sequence.name, sequence.truth, anchors)
        for start, run in zip(starts, runs, strict=True):
            seconds = np.full(len(run.boxes), math.nan)
            found[sequence.name, start.suffix] = _trajectory(sequence, run.anchor, run.boxes, seconds, path)
    return found


def _trajectory(sequence: Annotated, anchor: Anchor, boxes: np.ndarray, seconds: np.ndarray, path: Path) -> Trajectory:
    scores = np.full(len(boxes), math.nan)
    engine = {"results": str(path.absolute())}
    return Trajectory(anchor.frame, anchor.backward, sequence.size, boxes, scores, seconds, engine)
