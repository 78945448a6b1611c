"""Files of boxes: ground truth and results, one `x,y,w,h` per line and frame, in pixels of the frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ..runtime.errors import FootageError
from ..runtime.files import check_place, whole_or_nothing
from ..runtime.geometry import Box

TRUTH_NAME = "groundtruth.txt"


def truth_path(video: Path) -> Path:
    """Where the ground truth of a single video file lies: `clip.groundtruth.txt` for `clip.mp4`."""
    return video.with_name(f"{video.stem}.{TRUTH_NAME}")


def read_boxes(path: Path) -> list[Box]:
    """The boxes of a file; numbers are separated by commas, tabs or spaces.

    A box of four NaN, which some data sets write where the target is absent, is kept as it is. Raises FootageError
    naming the line that is not four numbers.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FootageError(f"{path} is no text file; it should hold a line x,y,w,h for every frame") from None
    if not lines:
        raise FootageError(f"{path} holds no boxes; it should hold a line x,y,w,h for every frame")
    return [_parse_line(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def write_boxes(path: Path, boxes: Sequence[Box]) -> None:
    """Write one line `x,y,w,h` with four decimals per box, whole or not at all. Raises OutputError."""
    text = "".join(",".join(f"{v:.4f}" for v in box) + "\n" for box in boxes)
    check_place(path)
    with whole_or_nothing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _parse_line(line: str, where: str) -> Box:
    parts = line.replace(",", " ").split()
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if len(values) != 4 or any(map(math.isinf, values)):
        hint = "; this looks like a polygon, write its upright box" if len(values) in (6, 8) else ""
        raise FootageError(f"{where} should be four numbers x,y,w,h, not {line.strip()[:60]!r}{hint}")
    return Box(*values)
