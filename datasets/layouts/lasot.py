"""LaSOT and its extension (Fan et al., CVPR 2019, IJCV 2021): CLASS/CLASS-N with img/, truth and two files of flags.

Test and training set lie in the same folders, and a list tells them apart (protocol II). So each has a prefix of its
own, and neither is ever taken for the other: a path alone means the test set.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path

import numpy as np

from ...runtime.errors import FootageError
from ..sequence import Dataset, ImageFrames, Sequence
from .lasot_test import EXTENSION_CLASSES, TEST_SEQUENCES
from .layout import (
    Layout,
    check_lengths,
    found_at,
    image_frames,
    not_annotated,
    read_flags,
    read_names,
    read_truth,
    subfolders,
)
from .selection import Selection

_FPS = 30.0

_COUNT = 1400
_EXTENSION_COUNT = 150

_CLASSES = frozenset(name.rpartition("-")[0] for name in TEST_SEQUENCES)
"""All 70 of them: every class has four sequences in the test set."""


class _Part(Enum):
    """What a data set is made of; the value is its prefix."""

    TEST = "lasot"
    TRAINING = "lasot-train"
    EXTENSION = "lasot-ext"


_WORDS = {_Part.TEST: "the test set", _Part.TRAINING: "the training set", _Part.EXTENSION: "the extension"}

_WANTED = "CLASS/CLASS-N or CLASS-N folders with img/, groundtruth.txt, full_occlusion.txt and out_of_view.txt"


def _is_sequence(folder: Path) -> bool:
    return (folder / "full_occlusion.txt").is_file() and (folder / "groundtruth.txt").is_file()


def _sequence_folders(root: Path) -> list[Path]:
    """The folders of sequences, as unpacked by class or all beside each other."""
    if _is_sequence(root):
        return [root]
    folders = [f for child in subfolders(root) for f in ([child] if _is_sequence(child) else subfolders(child))]
    return [folder for folder in folders if _is_sequence(folder)]


def _category(name: str) -> str:
    return name.rpartition("-")[0]


def _recognises(root: Path, part: _Part) -> bool:
    if part is _Part.TRAINING:
        return False
    for child in subfolders(root)[:3]:
        first = child if _is_sequence(child) else next(iter(subfolders(child)), child)
        if _is_sequence(first):
            return (_category(first.name) in EXTENSION_CLASSES) == (part is _Part.EXTENSION)
    return False


def _read(root: Path, allow_truncated: bool, selection: Selection, part: _Part) -> Dataset:
    folders = {folder.name: folder for folder in _sequence_folders(root)}
    if not folders:
        raise FootageError(f"{root} is not laid out as LaSOT: looked for {_WANTED}, {found_at(root)}")
    chosen, expected = _members(root, list(folders), part)
    what = f"sequences of {_WORDS[part]}"
    if not chosen:
        raise FootageError(
            f"{root} holds none of the {expected} {what} of LaSOT, {found_at(root)}; for any other folders of img/ "
            f"and groundtruth.txt write folders:{root}"
        )
    notes = [f"{expected - len(chosen)} of the {expected} {what} are not there"] if len(chosen) < expected else []
    chosen = selection.choose(root, chosen, str)
    read = [_sequence(folders[n], part.value, allow_truncated) for n in chosen]
    notes += [note for _, note in read if note]
    return Dataset(part.value, root, tuple(sequence for sequence, _ in read), tuple(notes))


def _members(root: Path, names: list[str], part: _Part) -> tuple[list[str], int]:
    """Those of the names that belong to a part, and how many a whole copy of it has."""
    if part is _Part.EXTENSION:
        return [n for n in names if _category(n) in EXTENSION_CLASSES], _EXTENSION_COUNT
    test = read_names(root / "testing_set.txt") if (root / "testing_set.txt").is_file() else TEST_SEQUENCES
    if part is _Part.TEST:
        return [n for n in test if n in names], len(test)
    # Whatever a copy's own list says, the published test set is never trained on.
    kept_apart = {*test, *TEST_SEQUENCES}
    return [n for n in names if n not in kept_apart and _category(n) in _CLASSES], _COUNT - len(TEST_SEQUENCES)


def _sequence(folder: Path, dataset: str, allow_truncated: bool) -> tuple[Sequence, str | None]:
    truth = read_truth(folder / "groundtruth.txt")
    frames = image_frames(folder / "img", allow_truncated)
    note = None
    if len(frames) > len(truth) > 1:
        # The benchmark's toolkit evaluates the frames that have truth: a few sequences come with more.
        note = f"{folder.name} has {len(frames)} frames and {len(truth)} boxes; the frames beyond are left out"
        frames = ImageFrames(frames.folder, frames.names[: len(truth)], allow_truncated=allow_truncated)
    check_lengths(frames, truth, folder / "groundtruth.txt")
    sequence = Sequence(
        name=folder.name,
        dataset=dataset,
        category=_category(folder.name),
        frames=frames,
        truth=truth,
        absent=_absent(folder, len(truth)) | not_annotated(truth),
        fps=_FPS,
    )
    return sequence, note


def _absent(folder: Path, count: int) -> np.ndarray:
    """Frames in which the target is fully hidden or out of view, which its toolkit leaves out: bool [count]."""
    return read_flags(folder / "full_occlusion.txt", count) | read_flags(folder / "out_of_view.txt", count)


def _layout(part: _Part, title: str) -> Layout:
    return Layout(part.value, title, _WANTED, partial(_recognises, part=part), partial(_read, part=part))


LASOT = _layout(_Part.TEST, "LaSOT")
LASOT_TRAIN = _layout(_Part.TRAINING, "LaSOT's training set")
LASOT_EXT = _layout(_Part.EXTENSION, "LaSOT's extension")
