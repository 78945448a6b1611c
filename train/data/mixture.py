"""From `--data` and `--hold-back` to the sources of a training and those of its validation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...runtime.errors import InputError
from .cutouts import Cutouts, find_cutouts
from .packed import PackedCrop, PackedPhotos, PackedVideos, check_groups, group_name, read_packed
from .pairs import Weighted
from .photos import Patches, Photo, read_photos
from .pictures import Pictures

VIDEOS, PHOTOS, PATCHES, CUTOUTS = 0.25, 0.3, 0.15, 0.3
"""Shares of what a folder of packed crops holds: most pairs from where there are most targets."""


@dataclass(frozen=True)
class HoldBack:
    """What is kept for validation. groups: videos and sequences by name; photos: share of the single photos, chosen by
    their files' names, so that it stays the same whatever is added."""

    groups: tuple[str, ...] = ()
    photos: float = 0.0

    @classmethod
    def parse(cls, text: str) -> HoldBack:
        """From "tiger,Car4,photos=0.07". Raises InputError."""
        names = [part.strip() for part in text.split(",") if part.strip()]
        share = 0.0
        for part in [name for name in names if name.startswith("photos=")]:
            try:
                share = float(part.removeprefix("photos="))
            except ValueError:
                share = math.nan
            if not 0 <= share < 1:
                raise InputError(f"{part}: give the share of photos to hold back, from 0 to below 1")
        return cls(tuple(name for name in names if not name.startswith("photos=")), share)

    def holds_photo(self, path: Path) -> bool:
        mark = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:8], "big")
        return mark < self.photos * 2**64

    def holds(self, crop: PackedCrop) -> bool:
        if crop.of_video:
            return crop.group in self.groups or group_name(crop.group) in self.groups
        return crop.group in self.groups or group_name(crop.group) in self.groups or self.holds_photo(crop.path)


@dataclass(frozen=True)
class Mixture:
    """What a network is trained on, and what was held back: empty where nothing was."""

    training: tuple[Weighted, ...]
    validation: tuple[Weighted, ...]


def open_mixture(specs: Sequence[str], hold_back: HoldBack, max_gap: int) -> Mixture:
    """All sources of `--data SPEC`. Raises InputError for a spec that names nothing known, FootageError."""
    parts = [open_packed(Path(spec.removeprefix("packed:")), hold_back, max_gap) for spec in specs]
    return Mixture(
        tuple(source for part in parts for source in part.training),
        tuple(source for part in parts for source in part.validation),
    )


def open_packed(root: Path, hold_back: HoldBack, max_gap: int) -> Mixture:
    """Videos and photos of a folder of packed crops; patches and cut-outs of the photos beside them, if there are any.

    Raises FootageError, and InputError for a group that is not there.
    """
    crops, pictures = read_packed(root), Pictures()
    check_groups(crops, hold_back.groups, root)
    kept = [crop for crop in crops if not hold_back.holds(crop)]
    held = [crop for crop in crops if hold_back.holds(crop)]
    training = _packed(root, kept, pictures, max_gap)
    if (root / "photos").is_dir():
        photos = [photo for photo in read_photos(root / "photos") if not hold_back.holds_photo(photo.path)]
        training += _of_photos(root / "photos", photos, pictures)
    return Mixture(tuple(training), tuple(_packed(root, held, pictures, max_gap)))


def _packed(root: Path, crops: Sequence[PackedCrop], pictures: Pictures, max_gap: int) -> list[Weighted]:
    videos = PackedVideos(root, [crop for crop in crops if crop.of_video], pictures, max_gap)
    photos = PackedPhotos(root, [crop for crop in crops if not crop.of_video], pictures)
    return [Weighted(source, share) for source, share in ((videos, VIDEOS), (photos, PHOTOS)) if len(source)]


def _of_photos(root: Path, photos: list[Photo], pictures: Pictures) -> list[Weighted]:
    found = [Weighted(Patches(root, photos, pictures), PATCHES)]
    cutouts = find_cutouts(photos, pictures)
    if cutouts:
        found.append(Weighted(Cutouts(root, photos, cutouts, pictures), CUTOUTS))
    return found
