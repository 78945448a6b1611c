"""TrackingNet (Müller et al., ECCV 2018): anno/NAME.txt and frames/NAME/0.jpg, 1.jpg, ... in TEST and TRAIN_0 .. 11."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import FootageError
from ..sequence import Dataset, Sequence
from .layout import Layout, check_lengths, entry_names, found_at, image_frames, not_annotated, read_truth
from .selection import Selection

_FPS = 30.0

_WANTED = "anno/NAME.txt and frames/NAME/0.jpg, 1.jpg, ..., there or in TEST"


def _subset(root: Path) -> Path | None:
    """Where anno and frames lie: in the folder itself, or in its test set."""
    return next((f for f in (root, root / "TEST") if (f / "anno").is_dir() and (f / "frames").is_dir()), None)


def _recognises(root: Path) -> bool:
    return _subset(root) is not None


def _read(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    subset = _subset(root)
    if subset is None:
        raise FootageError(f"{root} is not laid out as TrackingNet: looked for {_WANTED}, {found_at(root)}")
    names = [name[:-4] for name in entry_names(subset / "anno") if name.endswith(".txt")]
    if not names:
        raise FootageError(f"{subset / 'anno'} holds no truth: looked for NAME.txt, {found_at(subset / 'anno')}")
    names = selection.choose(root, names, str)
    return Dataset("trackingnet", root, tuple(_sequence(subset, name, allow_truncated) for name in names))


def _sequence(subset: Path, name: str, allow_truncated: bool) -> Sequence:
    truth_file = subset / "anno" / f"{name}.txt"
    # The test set's truth is its first box; frames are numbered without leading zeros.
    truth = read_truth(truth_file)
    frames = image_frames(subset / "frames" / name, allow_truncated)
    check_lengths(frames, truth, truth_file)
    return Sequence(name, "trackingnet", None, frames, truth, not_annotated(truth), fps=_FPS)


TRACKINGNET = Layout("trackingnet", "TrackingNet", _WANTED, _recognises, _read)
