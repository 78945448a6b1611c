"""Colours of the plots: fixed ones for pictures, and names that the page's style sheet gives values for its SVGs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SERIES_LIGHT = ("#0b62ad", "#b53c00", "#12733a", "#8427b5", "#a8115a", "#6b5500", "#0a6b75", "#4a4f57")
SERIES_DARK = ("#6cb6ff", "#ff9a5c", "#63d08a", "#d19bf7", "#ff8fc0", "#e0c24a", "#57cfdc", "#b6bdc7")
"""Apart for readers who confuse red and green, as far as eight colours can be; lines differ by dashes and markers too,
and each colour has a contrast of 4.5 to its ground."""

DASHES = ("solid", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class Palette:
    """Colours as matplotlib takes them: text and axes, grid lines, and a series colour per entrant."""

    ink: str
    grid: str
    series: tuple[str, ...]

    def color(self, place: int) -> str:
        """Of the entrant in that place; colours come again after eight."""
        return self.series[place % len(self.series)]


def dashes(place: int) -> Any:
    """Of the entrant's line, as matplotlib takes them: others than those of the one that has its colour."""
    return DASHES[(place + place // len(SERIES_LIGHT)) % len(DASHES)]


def marker(place: int) -> str:
    return MARKERS[(place + place // len(SERIES_LIGHT)) % len(MARKERS)]


LIGHT = Palette(ink="#1d2126", grid="#c9ced6", series=SERIES_LIGHT)

# Matplotlib takes only real colours: these stand for the style sheet's, and are replaced in the SVG that it writes.
NAMED = Palette(ink="#010101", grid="#020202", series=tuple(f"#0303{i:02x}" for i in range(len(SERIES_LIGHT))))

VARIABLES = {
    NAMED.ink: "var(--ink)",
    NAMED.grid: "var(--grid)",
    **{color: f"var(--series-{i})" for i, color in enumerate(NAMED.series)},
}
"""What each stand-in becomes in the page."""


def bgr(color: str) -> tuple[int, int, int]:
    """A colour "#rrggbb" as OpenCV takes it: blue, green, red, 0..255."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return blue, green, red
