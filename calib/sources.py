"""Where calibration footage comes from, as the command line names it."""

from __future__ import annotations

from collections.abc import Sequence as Several
from pathlib import Path

import numpy as np

from ..datasets.footage import DEFAULT_FPS, ImageFolder, VideoFile
from ..datasets.images import image_names
from ..datasets.registry import open_dataset
from ..datasets.sequence import Frames, ImageFrames, Sequence, VideoFrames
from ..runtime.errors import FootageError, InputError
from ..runtime.geometry import Box, check_box
from .specs import SPECS


def open_sources(specs: Several[str]) -> list[Sequence]:
    """The sequences of all specs, in order; one that is given twice counts once. A spec is one of SPECS.

    Raises FootageError or InputError where one cannot be read or says not where the target is.
    """
    found: list[Sequence] = []
    for spec in dict.fromkeys(specs):
        path, box = _split(spec)
        found += [_started(path, box)] if box is not None else _with_truth(spec)
    return found


def _split(spec: str) -> tuple[Path, Box | None]:
    """A path and the box after its last @; one that is a path itself, or has no path before the @, has no box."""
    path, at, text = spec.rpartition("@")
    place = Path(path).expanduser()
    if not at or Path(spec).expanduser().exists():
        return Path(spec), None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) == 4:
        return place, check_box(values, f"the start box of {path}")
    if place.exists():
        raise InputError(f"{spec} has no box after the @: write four numbers, as in {path}@120,80,64,48")
    return Path(spec), None


def _started(path: Path, box: Box) -> Sequence:
    """Footage of one target of which only the first box is known."""
    frames: Frames
    if path.is_dir():
        folder = path / "img" if image_names(path / "img") else path
        ImageFolder(path, allow_truncated=False)
        frames, fps = ImageFrames(folder, image_names(folder)), DEFAULT_FPS
    elif path.is_file():
        video = VideoFile(path, allow_truncated=False)
        # What a container announces may be an estimate; only decoding tells.
        frames, fps = VideoFrames(path, sum(1 for _ in video)), video.fps
    else:
        raise FootageError(f"{path} does not exist; give footage to calibrate on: {SPECS}")
    width, height = frames.size
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        raise InputError(f"the start box of {path} lies outside its frames of {width} x {height} pixels")
    truth, absent = np.array([box], np.float64), np.zeros(1, bool)
    name = path.absolute().name if path.is_dir() else path.stem
    return Sequence(name, "footage", None, frames, truth, absent, fps=fps)


def _with_truth(spec: str) -> list[Sequence]:
    path = Path(spec).expanduser()
    if path.is_file() and VideoFile(path, allow_truncated=False).truth_file is None:
        raise FootageError(
            f"{path} has no target box: write {path.stem}.groundtruth.txt beside it, or give the box in the first "
            f"frame as {spec}@X,Y,W,H"
        )
    images = path.is_dir() and (image_names(path) or image_names(path / "img"))
    if images and not any(path.rglob("groundtruth*.txt")):
        raise FootageError(
            f"{path} has no target box: write groundtruth.txt beside the images, or give the box in the first frame as "
            f"{spec}@X,Y,W,H"
        )
    return list(open_dataset(spec).sequences)
