"""Packed crops: index.json, and for each target a crop with its surroundings, some seven times the box wide.

`index.json` is a list of `{"file", "group", "box_xywh"}`, boxes in pixels of the crop. Groups that start with `video_`
are consecutive frames of one target; of every other group each crop is a photo of a target of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.errors import FootageError, InputError
from ...runtime.geometry import Box
from .pictures import Pictures
from .sources import Pair, View

INDEX = "index.json"
VIDEO = "video_"


@dataclass(frozen=True)
class PackedCrop:
    path: Path
    group: str
    box: Box

    @property
    def of_video(self) -> bool:
        return self.group.startswith(VIDEO)


def read_packed(root: Path) -> list[PackedCrop]:
    """The crops that `root`/index.json lists; the files are not opened. Raises FootageError naming the entry."""
    path = root / INDEX
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror}; packed crops are listed there") from None
    except (ValueError, RecursionError):
        raise FootageError(f"{path} is no JSON; get a whole copy of it") from None
    if not isinstance(entries, list) or not entries:
        raise FootageError(f"{path} lists no crops; it should be a list of file, group and box_xywh")
    return [_crop(root, entry, f"{path}, entry {number}") for number, entry in enumerate(entries)]


def group_name(group: str) -> str:
    """A group as `--hold-back` names it: without the prefix that says what it is."""
    return group.removeprefix(VIDEO)


def check_groups(crops: Iterable[PackedCrop], names: Collection[str], root: Path) -> None:
    """Raises InputError for a name that no group goes by."""
    known = {group_name(crop.group) for crop in crops} | {crop.group for crop in crops}
    unknown = sorted(set(names) - known)
    if unknown:
        held = ", ".join(sorted({group_name(crop.group) for crop in crops}))
        raise InputError(f"{root} has no group {', '.join(unknown)}; it has: {held}")


class PackedVideos:
    """Pairs of frames of one target, at most `max_gap` frames apart in either direction; groups are drawn alike."""

    def __init__(self, root: Path, crops: Iterable[PackedCrop], pictures: Pictures, max_gap: int = 200) -> None:
        groups: dict[str, list[PackedCrop]] = {}
        for crop in crops:
            groups.setdefault(crop.group, []).append(crop)
        self.name = f"videos of {root}"
        self._groups = [group for group in groups.values() if len(group) > 1]
        self._pictures = pictures
        self._max_gap = max_gap

    def __len__(self) -> int:
        return len(self._groups)

    def draw(self, random: np.random.Generator) -> Pair:
        group = self._groups[random.integers(len(self._groups))]
        first = int(random.integers(len(group)))
        low, high = max(0, first - self._max_gap), min(len(group), first + self._max_gap + 1)
        second = int(random.integers(low, high - 1))
        second += second >= first
        template, search = group[first], group[second]
        return Pair(
            View(self._pictures[template.path], template.box),
            View(self._pictures[search.path], search.box),
        )


class PackedPhotos:
    """One photo is both sights of its target."""

    def __init__(self, root: Path, crops: Iterable[PackedCrop], pictures: Pictures) -> None:
        self.name = f"photos of {root}"
        self._crops = list(crops)
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._crops)

    def draw(self, random: np.random.Generator) -> Pair:
        crop = self._crops[random.integers(len(self._crops))]
        view = View(self._pictures[crop.path], crop.box)
        return Pair(view, view)


def _crop(root: Path, entry: Any, where: str) -> PackedCrop:
    try:
        file, group, numbers = entry["file"], entry["group"], [float(v) for v in entry["box_xywh"]]
        box = Box(*numbers)
    except (KeyError, TypeError, ValueError):
        raise FootageError(f"{where} should have file, group and box_xywh (four numbers)") from None
    inside = isinstance(file, str) and not Path(file).is_absolute() and ".." not in Path(file).parts
    if not inside or not isinstance(group, str):
        raise FootageError(f"{where} names no file below {root}: {file!r}")
    if not all(map(math.isfinite, box)) or box.width <= 0 or box.height <= 0:
        raise FootageError(f"{where} has an empty box: {numbers}")
    return PackedCrop(root / file, group, box)
