"""Lines of numbers, separated by whatever their writer liked."""

from __future__ import annotations

import re

import numpy as np

from ...runtime.errors import BenchmarkError

_SEPARATORS = re.compile(r"[,;\s]+")

_VOT_MARKS = (0.0, 1.0, 2.0)
"""What VOT writes instead of a box: nothing known, initialised here, failed here."""


_FARTHEST = 1e9
"""Pixels; what lies farther away is no box, and its area could be no number."""


def parse_boxes(text: str, where: str) -> np.ndarray:
    """The boxes of a result file, one per line: float64 [N, 4], x, y, width, height, as the file counts pixels.

    Numbers are separated by commas, semicolons, tabs, spaces, or several of them. A line of 8 numbers, the corners of a
    polygon, gives the upright box around it; a line with a single 0, 1 or 2, VOT's marks, gives NaN. Raises
    BenchmarkError naming the line that is none of this, or `where` if there are no lines.
    """
    lines = text.removeprefix("\ufeff").rstrip().splitlines()
    if not lines:
        raise BenchmarkError(f"{where} is empty; it should hold a line x,y,w,h for every frame")
    return np.array([_parse_box(line, f"{where}, line {i}") for i, line in enumerate(lines, 1)], np.float64)


def parse_seconds(text: str, where: str) -> np.ndarray:
    """The times of a file, one frame per line: float64 [N, R], a column per repetition; an empty line is NaN.

    Raises BenchmarkError naming the line that is not numbers, or has another number of them than the first.
    """
    rows = []
    for i, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        numbers = _numbers(line)
        if numbers is None or (rows and numbers and len(numbers) != len(rows[0])):
            raise BenchmarkError(f"{where}, line {i} should be the seconds of a frame, not {line.strip()[:60]!r}")
        rows.append(numbers or [float("nan")] * (len(rows[0]) if rows else 1))
    if not rows:
        raise BenchmarkError(f"{where} is empty; it should hold the seconds of a frame in every line")
    return np.array(rows, np.float64)


def format_boxes(boxes: np.ndarray) -> str:
    """Lines of x,y,w,h with four decimals: boxes float64 [N, 4]."""
    return "".join(",".join(f"{value:.4f}" for value in box) + "\n" for box in boxes.tolist())


def format_seconds(columns: list[np.ndarray]) -> str:
    """Lines of seconds with eight decimals, a column per float64 [N]."""
    return "".join(",".join(f"{value:.8f}" for value in row) + "\n" for row in np.stack(columns, axis=1).tolist())


def _parse_box(line: str, where: str) -> list[float]:
    numbers = _numbers(line)
    if numbers is not None and not any(abs(number) > _FARTHEST for number in numbers):
        if len(numbers) == 4:
            return numbers
        if len(numbers) == 8:
            x, y = numbers[::2], numbers[1::2]
            return [min(x), min(y), max(x) - min(x), max(y) - min(y)]
        if len(numbers) == 1 and numbers[0] in _VOT_MARKS:
            return [float("nan")] * 4
    raise BenchmarkError(f"{where} should be four numbers x,y,w,h, not {line.strip()[:60]!r}")


def _numbers(line: str) -> list[float] | None:
    """The numbers of a line; None where a part is not one."""
    parts = [part for part in _SEPARATORS.split(line) if part]
    try:
        return [float(part) for part in parts]
    except ValueError:
        return None
