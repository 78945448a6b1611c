"""What a training pair is before it is cropped, and what gives such pairs."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ...runtime.geometry import Box


class View(NamedTuple):
    """One sight of the target: picture uint8 [H, W, 3], BGR, not to be written to; box: in its pixels, not empty."""

    picture: np.ndarray
    box: Box


class Pair(NamedTuple):
    """Two sights of one target, which may be one and the same photo."""

    template: View
    search: View


class Source(Protocol):
    """Where pairs come from. A source holds no state that a draw changes: the same random numbers give the same pair,
    in whatever process, so that a run that was stopped goes on as if it had not been.
    """

    @property
    def name(self) -> str:
        """As users name it, for messages and the log."""
        ...

    def __len__(self) -> int:
        """How many targets (sequences, photos, objects) it can draw: its size where sources are mixed by size."""
        ...

    def draw(self, random: np.random.Generator) -> Pair:
        """One pair. Raises FootageError for a file that is missing or damaged."""
        ...
