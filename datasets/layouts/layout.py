"""What the layouts share: how one is described, and the small files that most of them hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...runtime.errors import FootageError
from ..boxes import read_boxes
from ..images import image_names, natural_order
from ..sequence import Dataset, ImageFrames
from .selection import Selection

_SHOWN = 8
"""How many of a folder's entries a refusal names."""


@dataclass(frozen=True)
class Layout:
    """One way in which sequences lie in folders.

    prefix: what stands before the colon of a data set's name. wanted: what is looked for, for refusals. recognises:
    whether a path looks like it, told from a few entries. read: its sequences, given the path, whether to
    take JPEG files and videos that end early as they are, and which sequences are wanted, before anything of the others
    is read; raises FootageError, and InputError for a name that it lacks.
    """

    prefix: str
    title: str
    wanted: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, bool, Selection], Dataset]


def found_at(path: Path) -> str:
    """What lies at `path`, in words."""
    if not path.exists():
        return "nothing is there"
    if not path.is_dir():
        return f"found a file of {path.stat().st_size} bytes"
    names = entry_names(path)
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"found {shown}" if names else "found an empty folder"


def entry_names(folder: Path) -> list[str]:
    """Names of what lies in a folder, hidden entries left out, in natural order. Raises FootageError."""
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208 - names are wanted
    except OSError as error:
        raise FootageError(f"{folder} cannot be read: {error.strerror}") from None
    return sorted(names, key=natural_order)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder in natural order, none where it is none."""
    if not folder.is_dir():
        return []
    return [folder / name for name in entry_names(folder) if (folder / name).is_dir()]


def read_text(path: Path) -> str:
    """A text file of the data set. Raises FootageError where it is absent or no text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FootageError(f"{path} is no text file; get a whole copy of it") from None


def read_names(path: Path) -> list[str]:
    """The names in a list file, one per line. Raises FootageError where there are none."""
    names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not names:
        raise FootageError(f"{path} names no sequence; get a whole copy of it")
    return names


def read_pairs(path: Path, separator: str) -> dict[str, str]:
    """The lines `name SEPARATOR value` of a file; others, such as section heads, are left out."""
    pairs = (line.partition(separator) for line in read_text(path).splitlines() if separator in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def read_truth(path: Path) -> np.ndarray:
    """Boxes of a file, `x,y,w,h` per line with any separator: float64 [N, 4]. Raises FootageError naming the line."""
    return np.array(read_boxes(path), np.float64)


def read_values(path: Path) -> np.ndarray:
    """Numbers of a file, all on one line or each on its own: float64 [N]. Raises FootageError."""
    try:
        return np.array(read_text(path).replace(",", " ").split(), np.float64)
    except ValueError:
        raise FootageError(f"{path} should hold one number per frame, and holds other text; get a whole copy") from None


def read_flags(path: Path, count: int) -> np.ndarray:
    """The first `count` values of a file, as whether they are not 0: bool [count]. Raises FootageError for fewer."""
    values = read_values(path)
    if len(values) < count:
        raise FootageError(f"{path} holds {len(values)} flags for {count} boxes; get a whole copy of it")
    return values[:count] != 0


def not_annotated(truth: np.ndarray) -> np.ndarray:
    """The rows of NaN, as which some benchmarks write an absent target: bool [N]."""
    return np.any(np.isnan(truth), axis=1)


def image_frames(folder: Path, allow_truncated: bool, size: tuple[int, int] | None = None) -> ImageFrames:
    """All images of a folder. Raises FootageError where there are none."""
    names = image_names(folder)
    if not names:
        raise FootageError(f"{folder} holds no images, {found_at(folder)}; get a whole copy of the sequence")
    return ImageFrames(folder, names, size, allow_truncated)


def numbered_frames(folder: Path, numbers: Iterable[int], allow_truncated: bool) -> ImageFrames:
    """The images of a folder whose names are these numbers. Raises FootageError naming the first that is missing."""
    held = {int(name.split(".")[0]): name for name in image_names(folder) if name.split(".")[0].isdecimal()}
    numbers = list(numbers)
    missing = [number for number in numbers if number not in held]
    if missing:
        raise FootageError(
            f"{folder} lacks frame {missing[0]}, {len(missing)} of {len(numbers)} frames in all; get a whole copy"
        )
    return ImageFrames(folder, [held[number] for number in numbers], allow_truncated=allow_truncated)


def check_lengths(frames: ImageFrames, truth: np.ndarray, truth_file: Path) -> None:
    """Raise FootageError unless there is a box for every frame, or for the first alone."""
    if len(truth) not in (1, len(frames)):
        raise FootageError(
            f"{frames.folder} holds {len(frames)} frames and {truth_file} {len(truth)} boxes; "
            "frames or boxes are missing, get a whole copy of the sequence"
        )
