"""A benchmark's sequence: frames that are read when they are asked for, and the truth about one target in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from sys import intern

import numpy as np

from ..runtime.errors import FootageError
from ..runtime.geometry import Box
from .footage import DEFAULT_FPS, VideoFile
from .images import read_image


class Frames(ABC):
    """The frames of a sequence: `frames[i]` is uint8 [H, W, 3], BGR, read there and then, each time a new array.

    Negative indices count from the end. Raises IndexError beyond it, FootageError for a frame that is missing or
    damaged. They travel to other processes by pickle; nothing that is open travels with them.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Width and height in pixels: as announced, else those of the first frame."""

    @abstractmethod
    def _read(self, index: int) -> np.ndarray:
        """Frame `index`, 0 <= index < len(self)."""

    def __getitem__(self, index: int) -> np.ndarray:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"frame {index} of {count}")
        return self._read(index % count)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._read(index) for index in range(len(self)))


class ImageFrames(Frames):
    """Images of a folder, by name and in the order given.

    size: width, height where the data set announces it. allow_truncated: take JPEG files that end early as they are.
    """

    def __init__(
        self, folder: Path, names: Iterable[str], size: tuple[int, int] | None = None, allow_truncated: bool = False
    ) -> None:
        self.folder = folder
        # Sequences number their images alike: a training set of 14 million frames then holds some thousand names.
        self.names = tuple(map(intern, names))
        self._size = size
        self._allow_truncated = allow_truncated

    def __len__(self) -> int:
        return len(self.names)

    @property
    def size(self) -> tuple[int, int]:
        if self._size is None:
            height, width = self._read(0).shape[:2]
            self._size = (width, height)
        return self._size

    def _read(self, index: int) -> np.ndarray:
        return read_image(self.folder / self.names[index], self._allow_truncated)

    def path(self, index: int) -> Path:
        """The file of frame `index`."""
        return self.folder / self.names[index]


class VideoFrames(Frames):
    """Frames of a video file, `count` of them. Fast in order; a step back decodes again from the beginning."""

    def __init__(self, path: Path, count: int, allow_truncated: bool = False) -> None:
        self.path = path
        self._count = count
        self._allow_truncated = allow_truncated
        self._rewind()

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> tuple[int, int]:
        return self._video.size

    @property
    def fps(self) -> float:
        return self._video.fps

    def _rewind(self) -> None:
        self._video = VideoFile(self.path, self._allow_truncated)
        self._decoded = iter(self._video)
        self._at = -1
        self._frame: np.ndarray | None = None

    def _read(self, index: int) -> np.ndarray:
        if index < self._at:
            self._video.close()
            self._rewind()
        while self._at < index:
            frame = next(self._decoded, None)
            if frame is None:
                raise FootageError(f"{self.path} ends after {self._at + 1} of {self._count} frames; get a whole copy")
            self._at, self._frame = self._at + 1, frame
        assert self._frame is not None
        return self._frame.copy()

    def __getstate__(self) -> tuple[Path, int, bool]:
        return self.path, self._count, self._allow_truncated

    def __setstate__(self, state: tuple[Path, int, bool]) -> None:
        self.__init__(*state)


@dataclass(frozen=True, eq=False)
class Sequence:
    """One target in one sequence of frames.

    truth: float64 [N, 4], x, y, width, height in pixels, counted from 0; NaN rows where the target is not annotated.
    N is the number of frames, or 1 where the benchmark keeps its truth to itself.
    absent: bool [N], the frames that the benchmark flags as without a visible target (out of view, fully hidden).
    polygons: by frame the true region's corners, float64 [K, 2], x, y, None where it is no polygon; None as a whole
    where there are none. anchors: int8 [N], VOT's starting points: 1 tracks forwards from there, -1 backwards.
    category: the benchmark's own class of the target. origin: what the benchmark's files of truth and results count
    the first pixel as. fps: frames per second, as far as the benchmark tells.

    Raises FootageError for truth that does not fit the frames, or gives no box to start from.
    """

    name: str
    dataset: str
    category: str | None
    frames: Frames
    truth: np.ndarray
    absent: np.ndarray
    polygons: tuple[np.ndarray | None, ...] | None = None
    anchors: np.ndarray | None = None
    fps: float = DEFAULT_FPS
    origin: int = 0

    def __post_init__(self) -> None:
        where = f"sequence {self.name} of {self.dataset}"
        if not len(self.frames):
            raise FootageError(f"{where} has no frames; get a whole copy of it")
        if self.truth.ndim != 2 or self.truth.shape[1] != 4 or len(self.truth) not in (1, len(self.frames)):
            raise FootageError(
                f"{where} has {len(self.frames)} frames and truth of {list(self.truth.shape)}, where one row of four "
                "numbers per frame, or for the first frame alone, should stand; get a whole copy of it"
            )
        if self.absent.shape != self.truth.shape[:1]:
            raise FootageError(f"{where} has {len(self.truth)} boxes and {len(self.absent)} flags of absence")
        first = self.truth[0]
        if not (np.isfinite(first).all() and first[2] > 0 and first[3] > 0):
            box = ", ".join(f"{value:g}" for value in first)
            raise FootageError(f"{where} has no box to start from: its first one is {box}; leave the sequence out")
        for array in (self.truth, self.absent, self.anchors):
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames in pixels."""
        return self.frames.size

    @property
    def first_box(self) -> Box:
        """The box of the first frame, from which the benchmark has trackers start."""
        return Box(*(float(value) for value in self.truth[0]))

    @property
    def hidden(self) -> bool:
        """Whether the benchmark keeps the truth beyond the first frame to itself."""
        return len(self.truth) < len(self.frames)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The sequences under `root`, in the benchmark's order, each under its own name.

    name: the prefix of its layout, "got10k". notes: sentences about what was left out or is not there. Raises
    FootageError where two sequences have one name, or a name cannot be a file's.
    """

    name: str
    root: Path
    sequences: tuple[Sequence, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for sequence in self.sequences:
            if sequence.name in seen:
                raise FootageError(f"{self.root} holds two sequences of the name {sequence.name}; rename one of them")
            if not sequence.name or {"/", "\\", "\0"} & set(sequence.name) or sequence.name.startswith("."):
                raise FootageError(f"{self.root} holds a sequence whose name cannot be a file's: {sequence.name!r}")
            seen.add(sequence.name)
