"""A run's results as files for a benchmark's evaluation server or toolkit."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import BenchmarkError
from ..formats import ResultFormat, Track, write_results, write_vot_runs
from .merge import Runs

_FORMATS = {"got10k": ResultFormat.GOT10K, "trackingnet": ResultFormat.TRACKINGNET, "otb": ResultFormat.OTB}
"""By data set; the others take what LaSOT's toolkit does."""


def write_submission(runs: Runs, entrant: str | None, kind: ResultFormat | None, out: Path) -> int:
    """Write the results of one entrant for the benchmark's own evaluation; give the number of sequences.

    entrant: may be None where there is only one; kind: the data set's own by default, VOT's trajectories where the run
    started from anchors. Several seeds become repetitions where the format has them. Raises BenchmarkError where a
    sequence is not finished or cut short, where a folder is named as a zip file, and what the formats raise.
    """
    names = [e.name for e in runs.entrants]
    if entrant is None and len(names) > 1:
        raise BenchmarkError(f"say whose results with --entrant: {', '.join(names)}")
    name = runs.entrant(names[0] if entrant is None else entrant).name
    if runs.starts.restart_every is not None:
        raise BenchmarkError("the trackers were put on the truth again and again; no server takes such results")
    if any(record.dataset.most_frames is not None for record in runs.records):
        most = runs.records[0].dataset.most_frames
        raise BenchmarkError(
            f"the run was cut with --frames {most}, and whole sequences are wanted; run it again without"
        )
    chosen = kind or _FORMATS.get(runs.dataset, ResultFormat.LASOT)
    if (runs.starts.anchored or not chosen.is_zip) and out.suffix.lower() == ".zip":
        whose = "VOT" if runs.starts.anchored else chosen
        raise BenchmarkError(f"the toolkit of {whose} takes a folder of files, and {out} is named as a zip file")
    tracks = {s.name: runs.tracks(name, s) for s in runs.sequences}
    missing = [sequence for sequence, found in tracks.items() if len(found) < max(1, len(runs.starts.seeds))]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise BenchmarkError(
            f"{name} has not finished {len(missing)} of {len(tracks)} sequences: {shown}; run the rest"
        )
    if runs.starts.anchored:
        if kind is not None:
            raise BenchmarkError(f"runs from anchors are written as the VOT toolkit's trajectories, not as {kind}")
        for sequence, found in tracks.items():
            write_vot_runs(out, sequence, found[0].runs)
        return len(tracks)
    repeated = {sequence: [Track(t.boxes, t.seconds) for t in found] for sequence, found in tracks.items()}
    write_results(out, repeated, chosen, origin=runs.records[0].dataset.origin)
    return len(tracks)
