"""Miniatures of the benchmarks, made in their real layout; every frame's grey tells which one it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge.datasets.sequence import ImageFrames
from ostrack_edge.datasets.sequence import Sequence as OneSequence

SIZE = (32, 24)

Images = Callable[..., None]
Lines = Callable[[Path, Iterable[str | Iterable[object]]], Path]


@pytest.fixture
def images() -> Images:
    """images(folder, names, size): flat pictures, the first of grey level 0, every further one 10 above, up to 240."""

    def write(folder: Path, names: Iterable[str], size: tuple[int, int] = SIZE) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(names):
            assert cv2.imwrite(str(folder / name), np.full((size[1], size[0], 3), 10 * (index % 25), np.uint8))

    return write


@pytest.fixture
def lines() -> Lines:
    """lines(path, rows): a text file with a line per row; rows of numbers are joined by commas."""

    def write(path: Path, rows: Iterable[str | Iterable[object]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = [row if isinstance(row, str) else ",".join(map(str, row)) for row in rows]
        path.write_text("".join(f"{text}\n" for text in texts))
        return path

    return write


@pytest.fixture
def greys() -> Callable[[Sequence[np.ndarray]], list[int]]:
    """greys(frames): which pictures these are, as their numbers from 0 in the order in which they were written."""
    return lambda frames: [round(float(frame.mean()) / 10) for frame in frames]


@pytest.fixture
def files() -> Callable[[OneSequence], list[str]]:
    """files(sequence): FOLDER/NAME of every frame."""

    def of(sequence: OneSequence) -> list[str]:
        assert isinstance(sequence.frames, ImageFrames)
        return [f"{sequence.frames.folder.name}/{name}" for name in sequence.frames.names]

    return of
