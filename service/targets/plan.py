"""Where a target is searched for: around its last box while it is followed, in a bounded round when it is lost.

A lost target gets one search per frame, as a followed one does, so that losing one never makes the loop slower. Every
other search is around the place where it was last believed, in a region that grows to at most `MAX_GROWTH` times the
usual; those between go over the whole frame in steps, nearest first, at the usual size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...runtime.geometry import Box, CropWindow, clip_box, crop_window, map_box_back

MAX_GROWTH = 2.0
"""Largest search region around the last place, as a multiple of the usual side. A target in it looks half as large as
the network was trained for; beyond it scores mean little."""

_GROWTH_FRAMES = 40
"""Frames over which the region grows."""

_STEP = 0.7
"""Distance of neighbouring searches as a share of their side: a target, a quarter of the side, lies whole in one."""


@dataclass(frozen=True)
class Search:
    """One search: the box that the region is cut around, the region, and whether far places count less (the Hann
    window), as they do for a target that moves on from where it was."""

    around: Box
    window: CropWindow
    hann: bool

    def box_in_frame(self, crop_box: list[float], search_size: int, frame_size: tuple[int, int]) -> Box:
        """The network's box (centre x, centre y, width, height in 0..1 of the crop) in pixels of the frame, clipped as
        published; frame_size: width, height."""
        box = map_box_back(crop_box, self.around, search_size / self.window.side, search_size)
        return clip_box(box, frame_size[1], frame_size[0])


def follow(box: Box, factor: float) -> Search:
    """The published search: around the box before."""
    return Search(box, crop_window(box, factor), True)


def look_for(last: Box, factor: float, lost_for: int, frame_size: tuple[int, int]) -> Search:
    """The search for a target that was last believed at `last` and is lost for `lost_for` frames; frame_size: width,
    height of the frame in pixels."""
    if lost_for % 2 == 0:
        growth = 1 + (MAX_GROWTH - 1) * min(1.0, lost_for / _GROWTH_FRAMES)
        return Search(last, crop_window(last, factor * growth), False)
    side = crop_window(last, factor).side
    place = _place(last, side, lost_for // 2, frame_size)
    return Search(place, crop_window(place, factor), False)


def _place(last: Box, side: int, turn: int, frame_size: tuple[int, int]) -> Box:
    """A box of the last size at the `turn`-th place of the round over the frame."""
    centre = (last.x + last.width / 2, last.y + last.height / 2)
    columns, rows = (_centres(length, side) for length in frame_size)
    places = [(x, y) for y in rows for x in columns]
    places.sort(key=lambda p: math.hypot(p[0] - centre[0], p[1] - centre[1]))
    x, y = places[turn % len(places)]
    return Box(x - last.width / 2, y - last.height / 2, last.width, last.height)


def _centres(length: int, side: int) -> list[float]:
    """Centres of regions of `side` pixels that cover `length` pixels."""
    if side >= length:
        return [length / 2]
    count = math.ceil((length - side) / (_STEP * side)) + 1
    step = (length - side) / (count - 1)
    return [side / 2 + i * step for i in range(count)]
