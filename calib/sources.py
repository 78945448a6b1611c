"""Where calibration footage comes from, as the command line names it."""

from __future__ import annotations

from collections.abc import Sequence as Several
from pathlib import Path

import numpy as np

from ..datasets.footage import DEFAULT_FPS, ImageFolder, VideoFile
from ..datasets.images import image_names
from ..datasets.registry import open_dataset
from ..datasets.sequence import Frames, ImageFrames, Sequence, VideoFrames
from ..runtime.errors import FootageError
from ..runtime.geometry import Box, check_box
from .specs import SPECS


def open_sources(specs: Several[str]) -> list[Sequence]:
    """The sequences of all specs, in order. A spec is one of SPECS.

    Raises FootageError or InputError where one cannot be read or says not where the target is.
    """
    found: list[Sequence] = []
    for spec in specs:
        path, box = _split(spec)
        found += [_started(path, box)] if box is not None else _with_truth(spec)
    return found


def _split(spec: str) -> tuple[Path, Box | None]:
    """A path and the box after its last @; one that no box follows belongs to the path."""
    path, at, text = spec.rpartition("@")
    parts = text.split(",")
    if not at or len(parts) != 4:
        return Path(spec), None
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return Path(spec), None
    return Path(path).expanduser(), check_box(values, f"the start box of {path}")


def _started(path: Path, box: Box) -> Sequence:
    """Footage of one target of which only the first box is known."""
    frames: Frames
    if path.is_dir():
        folder = path / "img" if image_names(path / "img") else path
        ImageFolder(path, allow_truncated=False)
        frames, fps = ImageFrames(folder, image_names(folder)), DEFAULT_FPS
    elif path.is_file():
        video = VideoFile(path, allow_truncated=False)
        count = video.frame_count or sum(1 for _ in video)
        frames, fps = VideoFrames(path, count), video.fps
    else:
        raise FootageError(f"{path} does not exist; give footage to calibrate on: {SPECS}")
    width, height = frames.size
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        raise FootageError(f"the start box of {path} lies outside its frames of {width} x {height} pixels")
    truth, absent = np.array([box], np.float64), np.zeros(1, bool)
    return Sequence(path.absolute().stem, "footage", None, frames, truth, absent, fps=fps)


def _with_truth(spec: str) -> list[Sequence]:
    path = Path(spec).expanduser()
    if path.is_file() and VideoFile(path, allow_truncated=False).truth_file is None:
        raise FootageError(
            f"{path} has no target box: write {path.stem}.groundtruth.txt beside it, or give the box in the first "
            f"frame as {spec}@X,Y,W,H"
        )
    if path.is_dir() and not list(path.rglob("groundtruth*.txt")) and image_names(path):
        raise FootageError(
            f"{path} has no target box: write groundtruth.txt beside the images, or give the box in the first frame as "
            f"{spec}@X,Y,W,H"
        )
    return list(open_dataset(spec).sequences)
