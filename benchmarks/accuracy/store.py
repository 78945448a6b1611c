"""Results and truth of a run as files: each whole or not there, so that what is finished outlives what fails later."""

from __future__ import annotations

import io
import json
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np

from ...runtime.errors import BenchmarkError
from ...runtime.files import whole_or_nothing

T = TypeVar("T")

_DAMAGE = (
    *(ValueError, KeyError, IndexError, TypeError, EOFError, OverflowError, MemoryError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError),
    # What zipfile says to a method of compression that it does not know, and to a member marked as encrypted.
    *(RuntimeError, OSError),
)
"""What numpy and zipfile raise for a file with a wrong byte, depending on which one it is."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What a tracker gave for the n frames from `first` on, or where `backward`, from there back.

    boxes: float64 [n, 4], x, y, w, h in pixels of the frame, row 0 being the box that it was started on; scores:
    float64 [n], NaN where it gives none and in row 0; seconds: float64 [n], of `init` in row 0 and of each `update`
    after, without reading the frame; NaN where unknown. size: width and height of the frames. engine: what ran it, by
    name.
    """

    first: int
    backward: bool
    size: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    seconds: np.ndarray
    engine: dict[str, str]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, eq=False)
class Truth:
    """boxes: float64 [N, 4], x, y, w, h in pixels, NaN where not annotated, N = 1 where it is hidden; absent: bool [N];
    anchors: int8 [N], 1 where a run of VOT's protocol goes forward from, -1 backward, 0 elsewhere."""

    boxes: np.ndarray
    absent: np.ndarray
    anchors: np.ndarray


def file_name(name: str) -> str:
    """A sequence's or entrant's name as one part of a path: what a file system might not take is written as %XX."""
    quoted = quote(name, safe=" ,+=@()[]#&'")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def result_path(folder: Path, entrant: str, sequence: str, suffix: str) -> Path:
    return folder / "results" / file_name(entrant) / f"{file_name(sequence)}{suffix}.npz"


def truth_file(folder: Path, sequence: str) -> Path:
    return folder / "truth" / f"{file_name(sequence)}.npz"


def write_trajectory(path: Path, trajectory: Trajectory) -> None:
    """Raises OSError; nothing is left behind then."""
    _write(
        path,
        first=np.int64(trajectory.first),
        backward=np.bool_(trajectory.backward),
        size=np.array(trajectory.size),
        boxes=trajectory.boxes,
        scores=trajectory.scores,
        seconds=trajectory.seconds,
        engine=np.array(json.dumps(trajectory.engine)),
    )


def read_trajectory(path: Path) -> Trajectory:
    """Raises FileNotFoundError where it was never written, BenchmarkError where it is damaged or cannot be read."""
    found = _read(
        path,
        lambda arrays: Trajectory(
            int(arrays["first"]),
            bool(arrays["backward"]),
            (int(arrays["size"][0]), int(arrays["size"][1])),
            arrays["boxes"],
            arrays["scores"],
            arrays["seconds"],
            json.loads(str(arrays["engine"])),
        ),
    )
    n = len(found.boxes)
    if found.boxes.shape != (n, 4) or found.scores.shape != (n,) or found.seconds.shape != (n,) or not n:
        raise _damaged(path, "its arrays are of different lengths")
    return found


def write_truth(folder: Path, sequence: str, truth: Truth) -> None:
    """Raises OSError; BenchmarkError where the folder holds another truth of that sequence."""
    path = truth_file(folder, sequence)
    if path.exists():
        old = read_truth(folder, sequence)
        if not same_truth(old, truth):
            raise BenchmarkError(f"{folder} holds another truth for {sequence}; give another folder")
        return
    _write(path, truth=truth.boxes, absent=truth.absent, anchors=truth.anchors)


def read_truth(folder: Path, sequence: str) -> Truth:
    """Raises BenchmarkError where it is missing or damaged."""
    path = truth_file(folder, sequence)
    try:
        return _read(path, lambda arrays: Truth(arrays["truth"], arrays["absent"], arrays["anchors"]))
    except FileNotFoundError:
        raise BenchmarkError(f"{path} is missing from the run; run the same command again to complete it") from None


def same_truth(one: Truth, other: Truth) -> bool:
    return (
        np.array_equal(one.boxes, other.boxes, equal_nan=True)
        and np.array_equal(one.absent, other.absent)
        and np.array_equal(one.anchors, other.anchors)
    )


def _read(path: Path, make: Callable[[Any], T]) -> T:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}") from None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return make(arrays)
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def _write(path: Path, **arrays: np.ndarray | np.generic) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(path) as partial:
        partial.write_bytes(buffer.getvalue())


def _damaged(path: Path, why: object) -> BenchmarkError:
    return BenchmarkError(f"{path} is damaged ({why}); delete it and run the same command again")
