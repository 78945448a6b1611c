"""NfS, Need for Speed (Galoogahi et al., ICCV 2017), as it is distributed or gathered in sequences/ and anno/.

Distributed: NAME/30/NAME/*.jpg and NAME/30/NAME.txt, the same with 240. A line of truth is the annotation tool's, for
every frame at 240 frames/s: track, left, top, right, bottom, frame, lost, occluded, generated, label. At 30 frames/s
every eighth line counts. Gathered: sequences/NAME/*.jpg and anno/nfs_NAME.txt with x, y, width, height at 30 frames/s.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ...runtime.errors import FootageError
from ..sequence import Dataset, ImageFrames, Sequence
from .layout import (
    Layout,
    check_lengths,
    found_at,
    image_frames,
    not_annotated,
    read_text,
    read_truth,
    subfolders,
)
from .selection import Selection

_STEP = 8
"""Frames at 240 per frame at 30 frames/s."""

_WANTED = "NAME/30/NAME/*.jpg with NAME/30/NAME.txt (240 for nfs240), or sequences/NAME/*.jpg with anno/nfs_NAME.txt"


def _gathered(root: Path) -> list[Path]:
    return sorted((root / "anno").glob("nfs_*.txt")) if (root / "sequences").is_dir() else []


def _distributed(root: Path, fps: int) -> list[Path]:
    return [f for f in subfolders(root) if (f / str(fps) / f"{f.name}.txt").is_file()]


def _recognises(root: Path, fps: int) -> bool:
    return bool((fps == 30 and _gathered(root)) or _distributed(root, fps))


def _read(root: Path, allow_truncated: bool, selection: Selection, fps: int) -> Dataset:
    name = "nfs" if fps == 30 else "nfs240"
    gathered = _gathered(root) if fps == 30 else []
    folders = [] if gathered else _distributed(root, fps)
    if not gathered and not folders:
        raise FootageError(f"{root} is not laid out as NfS: looked for {_WANTED}, {found_at(root)}")
    gathered = selection.choose(root, gathered, _gathered_name) if gathered else []
    folders = selection.choose(root, folders, lambda f: f.name) if folders else []
    notes: list[str] = []
    sequences = [_gathered_sequence(root, truth_file, allow_truncated) for truth_file in gathered]
    sequences += [_distributed_sequence(folder, fps, name, allow_truncated, notes) for folder in folders]
    return Dataset(name, root, tuple(sequences), tuple(notes))


def _gathered_name(truth_file: Path) -> str:
    return truth_file.stem[len("nfs_") :]


def _gathered_sequence(root: Path, truth_file: Path, allow_truncated: bool) -> Sequence:
    name = _gathered_name(truth_file)
    truth = read_truth(truth_file)
    frames = image_frames(root / "sequences" / name, allow_truncated)
    frames, truth = _fit(frames, truth, truth_file, allow_truncated)
    return Sequence(name, "nfs", None, frames, truth, not_annotated(truth), fps=30.0)


def _distributed_sequence(folder: Path, fps: int, dataset: str, allow_truncated: bool, notes: list[str]) -> Sequence:
    place = folder / str(fps)
    truth_file = place / f"{folder.name}.txt"
    truth = _read_annotation(truth_file)
    frames = image_frames(place / folder.name, allow_truncated)
    if fps == 30 and len(truth) > 2 * len(frames):
        truth = truth[::_STEP]
    if fps == 30 and abs(len(frames) - len(truth)) > 1 and (folder / "240" / folder.name).is_dir():
        # dog_2 is distributed so.
        notes.append(
            f"{folder.name} has {len(frames)} frames at 30 frames/s and {len(truth)} boxes; "
            "every eighth of its frames at 240 frames/s is taken"
        )
        every = image_frames(folder / "240" / folder.name, allow_truncated)
        frames = ImageFrames(every.folder, every.names[::_STEP], allow_truncated=allow_truncated)
    frames, truth = _fit(frames, truth, truth_file, allow_truncated)
    return Sequence(folder.name, dataset, None, frames, truth, not_annotated(truth), fps=float(fps))


def _fit(
    frames: ImageFrames, truth: np.ndarray, truth_file: Path, allow_truncated: bool
) -> tuple[ImageFrames, np.ndarray]:
    """Leave out the one frame, or box, that some sequences have at their end beyond the other."""
    count = min(len(frames), len(truth))
    if max(len(frames), len(truth)) - count == 1 and count > 1:
        frames = ImageFrames(frames.folder, frames.names[:count], allow_truncated=allow_truncated)
        truth = truth[:count]
    check_lengths(frames, truth, truth_file)
    return frames, truth


def _read_annotation(path: Path) -> np.ndarray:
    """Boxes x, y, width, height, NaN where the target was marked as lost: float64 [N, 4]."""
    rows: list[list[float]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        parts = line.split()
        try:
            left, top, right, bottom, _, lost = (float(part) for part in parts[1:7])
        except ValueError:
            raise FootageError(
                f"{path}, line {number} should be track, left, top, right, bottom, frame, lost, ..., not {line[:60]!r}"
            ) from None
        rows.append([np.nan] * 4 if lost else [left, top, right - left, bottom - top])
    if not rows:
        raise FootageError(f"{path} holds no boxes; get a whole copy of it")
    return np.array(rows, np.float64)


NFS = Layout("nfs", "NfS at 30 frames/s", _WANTED, partial(_recognises, fps=30), partial(_read, fps=30))
NFS240 = Layout("nfs240", "NfS at 240 frames/s", _WANTED, partial(_recognises, fps=240), partial(_read, fps=240))
