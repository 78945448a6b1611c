"""Anybody's result files: found by the names of sequences, whatever the layout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...runtime.errors import BenchmarkError
from ..metrics import valid
from .source import Source, open_source
from .text import parse_boxes, parse_seconds
from .track import Track

_REPETITION = re.compile(r"_\d{3}$")
_TIMES = re.compile(r"_times?$")
_PREFIXES = ("uav_", "nfs_", "tnl2k_", "otb_", "lasot_", "got10k_", "trackingnet_")
"""What some toolkits put before the names of a data set's sequences."""


@dataclass(frozen=True, eq=False)
class Results:
    """Result files that were found: by sequence, in order of repetition; `missing`: the sequences without one."""

    source: Source
    files: Mapping[str, tuple[PurePosixPath, ...]]
    missing: tuple[str, ...]

    def read(self, sequence: str, origin: int = 0) -> tuple[Track, ...]:
        """The tracks of a sequence, one per repetition.

        origin: the coordinate of the first pixel in these files, 0 or 1; boxes come out 0-based. Raises BenchmarkError
        for a sequence that has none, and for files that are not lines of boxes and times.
        """
        if sequence not in self.files:
            raise BenchmarkError(f"{self.source.path} has no result of the sequence {sequence}")
        seconds = self._seconds(sequence)
        tracks = []
        for i, name in enumerate(self.files[sequence]):
            boxes = parse_boxes(self.source.read(name), self.source.where(name))
            column = None if seconds is None else seconds[:, min(i, seconds.shape[1] - 1)]
            # Times of another number of frames are times of something else.
            if column is not None and len(column) != len(boxes):
                column = None
            tracks.append(Track(np.subtract(boxes, (origin, origin, 0, 0)), column))
        return tuple(tracks)

    def where(self, sequence: str) -> str:
        """The first file of a sequence, for a sentence."""
        return self.source.where(self.files[sequence][0])

    def _seconds(self, sequence: str) -> np.ndarray | None:
        """float64 [N, R] from the file of times beside the results, in `times/` beside them, or None."""
        first = self.files[sequence][0]
        stem = _REPETITION.sub("", first.stem)
        for folder in (first.parent, first.parent / "times"):
            for ending in ("_time.txt", "_times.txt"):
                name = folder / f"{stem}{ending}"
                if name in self.source.names:
                    return parse_seconds(self.source.read(name), self.source.where(name))
        return None


def open_results(path: Path, sequences: Iterable[str]) -> Results:
    """Find the result files of `sequences` in a folder or a zip file, in any of the benchmarks' layouts.

    NAME.txt, or NAME_001.txt, NAME_002.txt, ... for repetitions, wherever below `path`. Where no file has exactly a
    sequence's name, upper and lower case, the kind of dash, and a data set's prefix ("uav_bike1") are overlooked.
    Raises BenchmarkError where there is no result at all, or where several trackers have one for the same sequence.
    """
    source = open_source(path)
    sequences = list(sequences)
    index = _index(source.names, set(sequences))
    files = {}
    for sequence in sequences:
        found = next((found for names in index if (found := names.get(sequence) or names.get(_plain(sequence)))), None)
        if found:
            files[sequence] = _of_one_tracker(found, sequence, path)
    if not files:
        wanted, seen = (", ".join(map(str, list(names)[:3])) for names in (sequences, source.names))
        raise BenchmarkError(f"{path} has no result of any sequence: looked for {wanted}, ...; found {seen}, ...")
    return Results(source, files, tuple(s for s in sequences if s not in files))


def pixel_origin(tracks: Iterable[Track], truths: Iterable[np.ndarray]) -> int:
    """What result files count the first pixel as, 0 or 1, from where they start.

    tracks: as read with origin 0; truths: float64 [N, 4], 0-based, of the same sequences. 1 where more than half of the
    tracks start exactly a pixel right of and below the truth that trackers are started from: MATLAB's way.
    """
    apart = [t.boxes[0, :2] - b[0, :2] for t, b in zip(tracks, truths, strict=True) if valid(t.boxes[0])]
    shifted = [bool((np.abs(a - 1) < 1e-3).all()) for a in apart]
    return int(sum(shifted) * 2 > len(shifted))


def _index(names: list[PurePosixPath], sequences: set[str]) -> tuple[dict[str, list[PurePosixPath]], ...]:
    """Files by the sequence that they may belong to, the likeliest first: by their names, as repetitions by theirs
    without the number, and both once more loosely."""
    index: tuple[dict[str, list[PurePosixPath]], ...] = ({}, {}, {}, {})
    for name in names:
        if _TIMES.search(name.stem):
            continue
        # A sequence may itself be called soccer_006, and is no sixth repetition of another then.
        repeated = _REPETITION.search(name.stem) and name.stem not in sequences
        key = _REPETITION.sub("", name.stem) if repeated else name.stem
        which = 1 if repeated else 0
        index[which].setdefault(key, []).append(name)
        for same in _loosened(key):
            index[which + 2].setdefault(same, []).append(name)
    return index


def _of_one_tracker(found: list[PurePosixPath], sequence: str, path: Path) -> tuple[PurePosixPath, ...]:
    if len({name.parent for name in found}) > 1 or len({_REPETITION.sub("", name.stem) for name in found}) > 1:
        shown = ", ".join(map(str, found[:3]))
        raise BenchmarkError(
            f"{path} has several results of the sequence {sequence}: {shown}; give the folder of one tracker"
        )
    return tuple(found)


def _plain(name: str) -> str:
    return re.sub(r"[-_. ]", "-", name.casefold())


def _loosened(name: str) -> set[str]:
    lower = name.casefold()
    return {_plain(lower), *(_plain(lower.removeprefix(p)) for p in _PREFIXES if lower.startswith(p))}
