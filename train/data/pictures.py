"""Pictures that are drawn again and again: decoded once, as long as there is room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.utils.data import get_worker_info

from ...datasets.images import read_image

ROOM = 4 << 30
"""Bytes of decoded pictures that a device's processes keep, all of them together."""


def inside(root: Path, name: str) -> Path:
    """The file that a list calls `name`. Raises ValueError for one that does not lie below `root`, TypeError."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError(name)
    return root / path


class Pictures:
    """Image files by path; what fits into `room` bytes stays decoded.

    Each of the loader's workers fills a store of its own, with its share of the room.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._whole = self._room = room
        self._kept: dict[Path, np.ndarray] = {}

    def __getitem__(self, path: Path) -> np.ndarray:
        """uint8 [H, W, 3], BGR, not to be written to. Raises FootageError."""
        picture = self._kept.get(path)
        if picture is None:
            picture = read_image(path)
            picture.setflags(write=False)
            taken = picture.nbytes * _workers()
            if taken <= self._room:
                self._room -= taken
                self._kept[path] = picture
        return picture

    def __getstate__(self) -> int:
        return self._whole

    def __setstate__(self, room: int) -> None:
        self.__init__(room)


def _workers() -> int:
    """The processes that fill stores like this one's: a loader's workers, or this process alone."""
    info = get_worker_info()
    return info.num_workers if info else 1
