"""OTB, the Object Tracking Benchmark (Wu et al., PAMI 2015): NAME/img and NAME/groundtruth_rect*.txt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ...runtime.errors import FootageError
from ..sequence import Dataset, ImageFrames, Sequence
from .layout import (
    Layout,
    check_lengths,
    found_at,
    image_frames,
    not_annotated,
    numbered_frames,
    read_text,
    read_truth,
    subfolders,
)
from .selection import Selection

_FPS = 30.0

_ORIGIN = 1
"""Its boxes were made for MATLAB: the first pixel is 1, 1."""

_RANGES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"David": (300, 770), "Diving": (1, 215), "Football1": (1, 74), "Freeman3": (1, 460), "Freeman4": (1, 283)}
)
"""First and last frame of the sequences that have truth for a part of their images only, by the benchmark's page."""

_WANTED = "NAME/img and NAME/groundtruth_rect.txt (groundtruth_rect.1.txt, ... for several targets)"


def _truth_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("groundtruth_rect*.txt"))


def _recognises(root: Path) -> bool:
    return any(_truth_files(child) for child in subfolders(root))


def _read(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    truth_files = [truth_file for folder in subfolders(root) for truth_file in _truth_files(folder)]
    sequences: list[Sequence] = []
    notes: list[str] = []
    for truth_file in selection.choose(root, truth_files, _name):
        if read_text(truth_file).strip():
            sequences.append(_sequence(truth_file, allow_truncated))
        else:
            # Human4's first target never got its truth.
            notes.append(f"{truth_file.parent.name}/{truth_file.name} is empty; this target is left out")
    if not sequences:
        raise FootageError(f"{root} is not laid out as OTB: looked for {_WANTED}, {found_at(root)}")
    return Dataset("otb", root, tuple(sequences), tuple(notes))


def _name(truth_file: Path) -> str:
    target = re.fullmatch(r"groundtruth_rect\.(\d+)\.txt", truth_file.name)
    return f"{truth_file.parent.name}_{target[1]}" if target else truth_file.parent.name


def _sequence(truth_file: Path, allow_truncated: bool) -> Sequence:
    truth = read_truth(truth_file)
    truth[:, :2] -= _ORIGIN
    frames = _frames(truth_file.parent, allow_truncated)
    check_lengths(frames, truth, truth_file)
    return Sequence(_name(truth_file), "otb", None, frames, truth, not_annotated(truth), fps=_FPS, origin=_ORIGIN)


def _frames(folder: Path, allow_truncated: bool) -> ImageFrames:
    frames = image_frames(folder / "img", allow_truncated)
    if folder.name not in _RANGES:
        return frames
    first, last = _RANGES[folder.name]
    if len(frames) == last - first + 1:
        # Some copies hold the part alone, numbered anew.
        return frames
    return numbered_frames(folder / "img", range(first, last + 1), allow_truncated)


OTB = Layout("otb", "OTB", _WANTED, _recognises, _read)
