"""The targets' colours, the same on the picture, in the window and on the page."""

from __future__ import annotations

COLORS = ((255, 200, 60), (80, 200, 255), (255, 110, 180), (120, 230, 120), (200, 150, 255), (255, 140, 70))
"""Red, green, blue, in turn: light ones, so that dark edges and text set them off from any picture."""


def target_color(number: int) -> tuple[int, int, int]:
    """Red, green, blue of a target by its number, from 1."""
    return COLORS[(number - 1) % len(COLORS)]
