"""A frame on its way through the service, with the time at which it was captured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class CapturedFrame:
    """One picture of a source.

    number: from 0, counted by the source, with the frames that were dropped; image: uint8 [H, W, 3], BGR, not to be
    written to: others hold the same array; captured: `time.monotonic()` when the source had it; wall: `time.time()`
    of that moment.
    """

    number: int
    image: np.ndarray
    captured: float
    wall: float

    @property
    def size(self) -> tuple[int, int]:
        """Width, height in pixels."""
        return self.image.shape[1], self.image.shape[0]
