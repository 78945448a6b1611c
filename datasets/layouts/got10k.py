"""GOT-10k (Huang et al., PAMI 2021): list.txt, and a folder of images, truth and labels per sequence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...runtime.errors import FootageError
from ..sequence import Dataset, Sequence
from .layout import (
    Layout,
    check_lengths,
    found_at,
    image_frames,
    not_annotated,
    read_flags,
    read_names,
    read_pairs,
    read_truth,
)
from .selection import Selection

_FPS = 10.0
"""The rate of its annotated frames, which are the ones that are handed out."""

_LABELS = ("meta_info.ini", "cover.label", "absence.label")

_SUBSETS = ("val", "test", "train")


def _recognises(root: Path) -> bool:
    if not (root / "list.txt").is_file():
        return False
    first = root / read_names(root / "list.txt")[0]
    return first.name.startswith("GOT-10k_") or any((first / label).is_file() for label in _LABELS)


def _read(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    if not (root / "list.txt").is_file():
        subsets = [name for name in _SUBSETS if (root / name / "list.txt").is_file()]
        hint = f"; give one of its subsets, {' or '.join(str(root / name) for name in subsets)}" if subsets else ""
        raise FootageError(f"{root} is not a subset of GOT-10k: looked for list.txt, {found_at(root)}{hint}")
    names = selection.choose(root, read_names(root / "list.txt"), lambda name: (root / name).name)
    return Dataset("got10k", root, tuple(_sequence(root / name, allow_truncated) for name in names))


def _sequence(folder: Path, allow_truncated: bool) -> Sequence:
    if not folder.is_dir():
        raise FootageError(f"{folder} is not there, though list.txt beside it names it; get it, or take out the line")
    meta = read_pairs(folder / "meta_info.ini", ":") if (folder / "meta_info.ini").is_file() else {}
    truth = read_truth(folder / "groundtruth.txt")
    frames = image_frames(folder, allow_truncated, _size(meta.get("resolution", "")))
    check_lengths(frames, truth, folder / "groundtruth.txt")
    return Sequence(
        name=folder.name,
        dataset="got10k",
        category=meta.get("object_class"),
        frames=frames,
        truth=truth,
        absent=_absent(folder, len(truth)) | not_annotated(truth),
        fps=_FPS,
    )


def _absent(folder: Path, count: int) -> np.ndarray:
    """Frames without a visible target: bool [count].

    The benchmark's toolkit leaves out the frames whose cover label, 0 (hidden) to 8 (in full view), is 0. Copies
    without that file are told by absence.label; the test set has neither.
    """
    if (folder / "cover.label").is_file():
        return ~read_flags(folder / "cover.label", count)
    if (folder / "absence.label").is_file():
        return read_flags(folder / "absence.label", count)
    return np.zeros(count, bool)


def _size(resolution: str) -> tuple[int, int] | None:
    """Width and height from "(1920, 1080)"; None for anything else."""
    match = re.fullmatch(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)", resolution)
    return (int(match[1]), int(match[2])) if match else None


GOT10K = Layout(
    "got10k",
    "GOT-10k",
    "a subset's list.txt, and per name in it a folder of *.jpg with groundtruth.txt, meta_info.ini and cover.label",
    _recognises,
    _read,
)
