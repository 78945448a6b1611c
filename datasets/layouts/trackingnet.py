"""TrackingNet (Müller et al., ECCV 2018): anno/NAME.txt and frames/NAME/0.jpg, 1.jpg, ... in TEST and TRAIN_0 .. 11.

Of a folder that holds both, trackingnet: is the test set, and trackingnet-train: as many parts of the training set as
are there, as one data set.
"""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import FootageError
from ..sequence import Dataset, Sequence
from .layout import Layout, check_lengths, entry_names, found_at, image_frames, not_annotated, read_truth
from .selection import Selection

_FPS = 30.0

_PARTS = 12
"""Of the training set, TRAIN_0 to TRAIN_11."""

_WANTED = "anno/NAME.txt and frames/NAME/0.jpg, 1.jpg, ..., there or in TEST"
_TRAIN_WANTED = "anno/NAME.txt and frames/NAME/0.jpg, 1.jpg, ..., there or in TRAIN_0 to TRAIN_11"


def _is_subset(folder: Path) -> bool:
    return (folder / "anno").is_dir() and (folder / "frames").is_dir()


def _names(subset: Path) -> list[str]:
    return [name[:-4] for name in entry_names(subset / "anno") if name.endswith(".txt")]


# ---- one subset: the test set, or a part of the training set by its own path


def _subset(root: Path) -> Path | None:
    """Where anno and frames lie: in the folder itself, or in its test set."""
    return next((f for f in (root, root / "TEST") if _is_subset(f)), None)


def _recognises(root: Path) -> bool:
    return _subset(root) is not None


def _read(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    subset = _subset(root)
    if subset is None:
        raise FootageError(f"{root} is not laid out as TrackingNet: looked for {_WANTED}, {found_at(root)}")
    names = _names(subset)
    if not names:
        raise FootageError(f"{subset / 'anno'} holds no truth: looked for NAME.txt, {found_at(subset / 'anno')}")
    names = selection.choose(root, names, str)
    return Dataset(
        "trackingnet", root, tuple(_sequence(subset, name, "trackingnet", allow_truncated) for name in names)
    )


# ---- the training set


def _training_subsets(root: Path) -> list[Path]:
    """The folder itself, or the parts of the training set in it."""
    return [f for f in (root, *(root / f"TRAIN_{number}" for number in range(_PARTS))) if _is_subset(f)]


def _recognises_training(root: Path) -> bool:
    return bool(_training_subsets(root))


def _read_training(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    subsets = _training_subsets(root)
    held = [(subset, name) for subset in subsets for name in _names(subset)]
    # `absolute`: a folder given as "." has no name of its own.
    if not held or root.absolute().name == "TEST":
        raise FootageError(f"{root} is no training set of TrackingNet: looked for {_TRAIN_WANTED}, {found_at(root)}")
    missing = 0 if root in subsets else _PARTS - len(subsets)
    notes = (f"{missing} of the {_PARTS} parts of the training set are not there",) if missing else ()
    chosen = selection.choose(root, held, lambda item: item[1])
    sequences = tuple(_sequence(subset, name, "trackingnet-train", allow_truncated) for subset, name in chosen)
    return Dataset("trackingnet-train", root, sequences, notes)


def _sequence(subset: Path, name: str, dataset: str, allow_truncated: bool) -> Sequence:
    truth_file = subset / "anno" / f"{name}.txt"
    # The test set's truth is its first box; frames are numbered without leading zeros.
    truth = read_truth(truth_file)
    frames = image_frames(subset / "frames" / name, allow_truncated)
    check_lengths(frames, truth, truth_file)
    return Sequence(name, dataset, None, frames, truth, not_annotated(truth), fps=_FPS)


TRACKINGNET = Layout("trackingnet", "TrackingNet", _WANTED, _recognises, _read)
TRACKINGNET_TRAIN = Layout(
    "trackingnet-train", "TrackingNet's training set", _TRAIN_WANTED, _recognises_training, _read_training
)
