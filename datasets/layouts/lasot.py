"""LaSOT and its extension (Fan et al., CVPR 2019, IJCV 2021): CLASS/CLASS-N with img/, truth and two files of flags."""

from __future__ import annotations

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


def _recognises(root: Path, extension: bool) -> bool:
    for child in subfolders(root)[:3]:
        first = child if _is_sequence(child) else next(iter(subfolders(child)), child)
        if _is_sequence(first):
            return (_category(first.name) in EXTENSION_CLASSES) == extension
    return False


def _read(root: Path, allow_truncated: bool, selection: Selection, extension: bool) -> Dataset:
    name = "lasot-ext" if extension else "lasot"
    folders = {folder.name: folder for folder in _sequence_folders(root)}
    if not folders:
        raise FootageError(f"{root} is not laid out as LaSOT: looked for {_WANTED}, {found_at(root)}")
    if extension:
        chosen = [n for n in folders if _category(n) in EXTENSION_CLASSES]
        expected, what = 150, "sequences of the extension"
    else:
        test = read_names(root / "testing_set.txt") if (root / "testing_set.txt").is_file() else TEST_SEQUENCES
        chosen = [n for n in test if n in folders]
        expected, what = len(test), "sequences of the test set"
    if not chosen:
        raise FootageError(
            f"{root} holds none of the {expected} {what} of LaSOT, {found_at(root)}; for any other folders of img/ "
            f"and groundtruth.txt write folders:{root}"
        )
    notes = [f"{expected - len(chosen)} of the {expected} {what} are not there"] if len(chosen) < expected else []
    chosen = selection.choose(root, chosen, str)
    read = [_sequence(folders[n], name, allow_truncated) for n in chosen]
    notes += [note for _, note in read if note]
    return Dataset(name, root, tuple(sequence for sequence, _ in read), tuple(notes))


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


LASOT = Layout("lasot", "LaSOT", _WANTED, partial(_recognises, extension=False), partial(_read, extension=False))
LASOT_EXT = Layout(
    "lasot-ext", "LaSOT's extension", _WANTED, partial(_recognises, extension=True), partial(_read, extension=True)
)
