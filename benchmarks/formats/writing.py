"""Result files as each benchmark's evaluation wants them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

import numpy as np

from ...runtime.errors import BenchmarkError
from ...runtime.files import check_place, whole_or_nothing
from .text import format_boxes, format_seconds
from .track import Track

_EPOCH = (1980, 1, 1, 0, 0, 0)


class ResultFormat(str, Enum):
    """GOT10K       a zip for its server: NAME/NAME_001.txt per repetition, NAME/NAME_time.txt
    TRACKINGNET  a zip for its server: NAME.txt
    LASOT        a folder: NAME.txt, NAME_time.txt; also for TNL2K, UAV123, NfS and ITB
    OTB          a folder: NAME.txt, times/NAME_time.txt
    """

    GOT10K = "got10k"
    TRACKINGNET = "trackingnet"
    LASOT = "lasot"
    OTB = "otb"

    def __str__(self) -> str:
        return self.value

    @property
    def is_zip(self) -> bool:
        return self in (ResultFormat.GOT10K, ResultFormat.TRACKINGNET)


def write_results(
    out: Path, tracks: Mapping[str, Track | Sequence[Track]], kind: ResultFormat, *, origin: int = 0
) -> None:
    """Write the tracks of a data set's sequences, by name, in a benchmark's format.

    Boxes are floats with four decimals, times seconds with eight. A sequence may have several tracks, its repetitions,
    in the GOT10K format alone. origin: what the benchmark counts the first pixel as, 0 or 1. A zip appears whole or not
    at all, a folder is made and each of its files replaced whole.

    Raises BenchmarkError for what the format cannot hold, OutputError for a place that cannot be written, or a
    disk that is full.
    """
    if not tracks:
        raise BenchmarkError("there are no results to write; track at least one sequence")
    files = list(_files(tracks, kind, origin))
    if not kind.is_zip:
        for name, text in files:
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            check_place(path)
            with whole_or_nothing(path) as partial:
                partial.write_text(text, encoding="utf-8")
        return
    if out.suffix != ".zip":
        raise BenchmarkError(f"the server of {kind} takes a zip file, and {out} is not named as one; add .zip")
    check_place(out)
    with whole_or_nothing(out) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files:
            # The same results make the same file, byte for byte.
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)


def _files(tracks: Mapping[str, Track | Sequence[Track]], kind: ResultFormat, origin: int) -> Iterator[tuple[str, str]]:
    for sequence, given in tracks.items():
        repeated = [given] if isinstance(given, Track) else list(given)
        if len(repeated) != 1 and (kind is not ResultFormat.GOT10K or not repeated):
            raise BenchmarkError(f"{kind} takes one result of every sequence, and {sequence} has {len(repeated)}")
        if len({len(track.boxes) for track in repeated}) > 1:
            raise BenchmarkError(f"the repetitions of {sequence} differ in length; track them all to the end")
        boxes = [format_boxes(np.add(_whole(track.boxes, sequence), (origin, origin, 0, 0))) for track in repeated]
        times = [track.seconds for track in repeated if track.seconds is not None]
        # Its server reads a time per frame and repetition, or no file.
        timed = format_seconds(times) if times and len(times) == len(repeated) else None
        yield from _placed(sequence, boxes, timed, kind)


def _placed(sequence: str, boxes: list[str], times: str | None, kind: ResultFormat) -> Iterator[tuple[str, str]]:
    if kind is ResultFormat.GOT10K:
        for i, text in enumerate(boxes, 1):
            yield f"{sequence}/{sequence}_{i:03d}.txt", text
    else:
        yield f"{sequence}.txt", boxes[0]
    if times is not None:
        place = {
            ResultFormat.GOT10K: f"{sequence}/{sequence}_time.txt",
            ResultFormat.LASOT: f"{sequence}_time.txt",
            ResultFormat.OTB: f"times/{sequence}_time.txt",
        }.get(kind)
        if place:
            yield place, times


def _whole(boxes: np.ndarray, sequence: str) -> np.ndarray:
    if not np.isfinite(boxes).all():
        bad = int(np.flatnonzero(~np.isfinite(boxes).all(axis=1))[0])
        raise BenchmarkError(
            f"the result of {sequence} has no box in frame {bad}, and no server takes a file with one missing"
        )
    return boxes
