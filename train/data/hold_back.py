"""What is kept for validation."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from ...runtime.errors import InputError

PHOTOS = "photos="


@dataclass(frozen=True)
class HoldBack:
    """groups: videos and sequences by name. photos: share of the single photos, chosen by their files' names, so that
    it stays the same whatever is added."""

    groups: tuple[str, ...] = ()
    photos: float = 0.0

    @classmethod
    def parse(cls, text: str) -> HoldBack:
        """From "tiger,Car4,photos=0.07". Raises InputError."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        share = 0.0
        for part in parts:
            if part.startswith(PHOTOS):
                share = _share(part)
        return cls(tuple(part for part in parts if not part.startswith(PHOTOS)), share)

    def holds_photo(self, path: Path) -> bool:
        mark = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:8], "big")
        return mark < self.photos * 2**64


def _share(part: str) -> float:
    try:
        share = float(part.removeprefix(PHOTOS))
    except ValueError:
        share = math.nan
    if not 0 <= share < 1:
        raise InputError(f"{part}: give the share of photos to hold back, from 0 to below 1")
    return share
