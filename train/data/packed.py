"""Packed crops: index.json, and for each target a crop with its surroundings, some seven times the box wide.

`index.json` is a list of `{"file", "group", "box_xywh"}`, boxes in pixels of the crop. Groups that start with `video_`
are consecutive frames of one target; of every other group each crop is a photo of a target of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...runtime.errors import FootageError, InputError
from ...runtime.geometry import Box, check_box
from .cutouts import Cutouts, find_cutouts
from .hold_back import HoldBack
from .pairs import Weighted
from .photos import Patches, read_photos
from .pictures import Pictures, inside
from .sources import Pair, View

INDEX = "index.json"
VIDEO = "video_"

VIDEOS, PHOTOS, PATCHES, CUTOUTS = 0.25, 0.3, 0.15, 0.3
"""Shares of what such a folder holds, where it holds it: most pairs from where there are most targets."""


@dataclass(frozen=True)
class PackedCrop:
    path: Path
    group: str
    box: Box

    @property
    def of_video(self) -> bool:
        return self.group.startswith(VIDEO)


class Packed(NamedTuple):
    """A folder's sources with their shares, what was held back of them, and the names of its groups."""

    training: list[Weighted]
    validation: list[Weighted]
    names: frozenset[str]


def open_packed(root: Path, hold_back: HoldBack, max_gap: int) -> Packed:
    """Videos and photos of a folder of packed crops; patches and cut-outs of the photos in it, if there are any.

    Label maps are read there and then. Raises FootageError.
    """
    crops, pictures = read_packed(root), Pictures()
    held = [crop for crop in crops if _is_held(crop, hold_back)]
    training = _sources(root, [crop for crop in crops if not _is_held(crop, hold_back)], pictures, max_gap)
    if (root / "photos").is_dir():
        training += open_photos(root / "photos", hold_back, pictures)
    names = frozenset(crop.group for crop in crops) | {group_name(crop.group) for crop in crops}
    return Packed(training, _sources(root, held, pictures, max_gap), names)


def open_photos(root: Path, hold_back: HoldBack, pictures: Pictures) -> list[Weighted]:
    """Patches of a folder's photos, and the objects that its label maps show, if it has any. Raises FootageError."""
    photos = [photo for photo in read_photos(root) if not hold_back.holds_photo(photo.path)]
    if not photos:
        return []
    found = [Weighted(Patches(root, photos, pictures), PATCHES)]
    cutouts = find_cutouts(photos, pictures)
    if cutouts:
        found.append(Weighted(Cutouts(root, photos, cutouts, pictures), CUTOUTS))
    return found


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


def _is_held(crop: PackedCrop, hold_back: HoldBack) -> bool:
    if crop.group in hold_back.groups or group_name(crop.group) in hold_back.groups:
        return True
    return not crop.of_video and hold_back.holds_photo(crop.path)


def _sources(root: Path, crops: Sequence[PackedCrop], pictures: Pictures, max_gap: int) -> list[Weighted]:
    videos = PackedVideos(root, [crop for crop in crops if crop.of_video], pictures, max_gap)
    photos = PackedPhotos(root, [crop for crop in crops if not crop.of_video], pictures)
    return [Weighted(source, share) for source, share in ((videos, VIDEOS), (photos, PHOTOS)) if len(source)]


def _crop(root: Path, entry: Any, where: str) -> PackedCrop:
    try:
        file, group, numbers = entry["file"], entry["group"], entry["box_xywh"]
    except (KeyError, TypeError):
        file, group, numbers = None, None, ()
    if not isinstance(file, str) or not isinstance(group, str):
        raise FootageError(f"{where} should have file, group and box_xywh (four numbers)")
    try:
        return PackedCrop(inside(root, file), group, check_box(numbers, f"{where}: its box"))
    except InputError as error:
        raise FootageError(str(error)) from None
    except ValueError:
        raise FootageError(f"{where} names no file below {root}: {file!r}") from None
