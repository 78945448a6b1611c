"""A video file with its truth beside it, as `datasets.footage` finds it."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import FootageError
from ..footage import VideoFile
from ..sequence import Dataset, Sequence, VideoFrames
from .layout import Layout, found_at, not_annotated, read_truth
from .selection import Selection

_WANTED = "a video file with NAME.groundtruth.txt, or else groundtruth.txt, beside it"


def _recognises(root: Path) -> bool:
    return root.is_file() and root.suffix.lower() != ".txt"


def _read(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    if not root.is_file():
        raise FootageError(f"{root} is no video: looked for {_WANTED}, {found_at(root)}")
    selection.choose(root, [root], lambda path: path.stem)
    video = VideoFile(root, allow_truncated)
    if video.truth_file is None:
        raise FootageError(
            f"{root} has no truth beside it: looked for {root.stem}.groundtruth.txt and groundtruth.txt; write one "
            "with a line x,y,w,h per frame, or for the first frame alone"
        )
    truth = read_truth(video.truth_file)
    count = video.frame_count
    if count is None or len(truth) not in (1, count):
        # What a container announces may be an estimate; only decoding tells.
        count = sum(1 for _ in video)
    if len(truth) not in (1, count):
        raise FootageError(
            f"{root} holds {count} frames and {video.truth_file} {len(truth)} boxes; "
            "frames or boxes are missing, get a whole copy of both"
        )
    frames = VideoFrames(root, count, allow_truncated)
    sequence = Sequence(root.stem, "video", None, frames, truth, not_annotated(truth), fps=video.fps)
    return Dataset("video", root, (sequence,))


VIDEO = Layout("video", "a video file", _WANTED, _recognises, _read)
