"""The frames that every row of a benchmark sees, laid down once as raw bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ...runtime.errors import BenchmarkError, InputError
from ...runtime.geometry import Box, check_box
from .protocol import Clip

MOST_FRAMES = 120
"""Frames at most; a longer run goes through them again, so that the file stays small."""

CLIP_NAME = "clip.raw"


def make_clip(video: Path | None, frames: int, folder: Path) -> Clip:
    """The first frame of `video`, or of the rendered scene where that is None, and `frames` more (MOST_FRAMES in all).

    They go into `folder`. Raises FootageError for footage that does not open, BenchmarkError for less than 2 frames.
    """
    wanted = min(frames + 1, MOST_FRAMES)
    if video is None:
        from ...datasets.scene import Scene

        scene = Scene(frames=MOST_FRAMES)
        boxes = [scene.box(i) for i in range(wanted)]
        return write_clip((scene.frame(i) for i in range(wanted)), boxes, folder, "rendered scene")
    from ...datasets.footage import open_footage

    with open_footage(video) as footage:
        return write_clip(islice(footage, wanted), footage.truth or (), folder, str(video))


def write_clip(frames: Iterable[np.ndarray], truth: Sequence[Sequence[float]], folder: Path, source: str) -> Clip:
    """frames: uint8 [H, W, 3], BGR, of one size; truth: boxes of the frames as far as known."""
    path, count, size = folder / CLIP_NAME, 0, (0, 0)
    with path.open("wb") as file:
        for frame in frames:
            height, width = frame.shape[:2]
            size = size if count else (width, height)
            if (width, height) != size:
                raise BenchmarkError(f"{source}: frame {count} is {width}x{height}, the first is {size[0]}x{size[1]}")
            file.write(np.ascontiguousarray(frame).data)
            count += 1
    if count < 2:
        raise BenchmarkError(f"{source} has {count} frame(s); a measurement needs at least 2")
    return Clip(str(path), source, *size, count, tuple(map(tuple, fill_boxes(truth, count, *size))))


def fill_boxes(truth: Sequence[Sequence[float]], count: int, width: int, height: int) -> list[Box]:
    """One box per frame: the truth, or the last usable box before it; at first the centre fifth of the frame."""
    box = Box(0.4 * width, 0.4 * height, 0.2 * width, 0.2 * height)
    found = []
    for i in range(count):
        if i < len(truth):
            box = _usable(truth[i], width, height) or box
        found.append(box)
    return found


def _usable(values: Sequence[float], width: int, height: int) -> Box | None:
    """A box that a tracker can be put on: finite, not empty, with its centre in the frame; None otherwise."""
    try:
        box = check_box(values)
    except InputError:
        return None
    inside = 0 <= box.x + box.width / 2 < width and 0 <= box.y + box.height / 2 < height
    return box if inside else None
