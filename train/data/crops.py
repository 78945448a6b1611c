"""Crops for training: cut as the tracker cuts them, around boxes that stray as its own do, turned and stretched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from ...runtime.geometry import Box
from .sources import View


@dataclass(frozen=True)
class Jitter:
    """How the box that a crop is cut around strays from the truth (supplementary, section 1).

    centre: the offset is uniform within half of centre x sqrt(w * h) on both axes; scale: standard deviation of the
    logarithms of width and height.
    """

    centre: float = 0.0
    scale: float = 0.0


class Placed(NamedTuple):
    """A crop uint8 [S, S, 3], and the target in it: float32 [4], x, y, w, h in 0..1 of the crop or beyond."""

    crop: np.ndarray
    box: np.ndarray


class Turn(NamedTuple):
    """How a crop lies: angle in radians, stretch as width over height, mirrored or not."""

    angle: float = 0.0
    stretch: float = 1.0
    mirrored: bool = False


def jittered(box: Box, jitter: Jitter, random: np.random.Generator) -> Box:
    """A box that strays from `box`. Its width and height change independently, its centre by the changed size."""
    width, height = np.array([box.width, box.height]) * np.exp(random.standard_normal(2) * jitter.scale)
    reach = np.sqrt(width * height) * jitter.centre
    dx, dy = reach * (random.random(2) - 0.5)
    centre_x, centre_y = box.x + box.width / 2 + dx, box.y + box.height / 2 + dy
    return Box(centre_x - width / 2, centre_y - height / 2, width, height)


def place(view: View, around: Box, factor: float, size: int, turn: Turn) -> Placed:
    """The square of side factor x sqrt(w * h) around the middle of `around`, brought to `size` pixels.

    The middle of the crop is the middle of `around`, as the tracking loop takes it when it maps boxes back. What lies
    outside the picture is black. The target's box after a turn is that of the ellipse inscribed in its box.
    """
    centre = np.array([around.x + around.width / 2, around.y + around.height / 2])
    side = max(factor * np.sqrt(around.width * around.height), 2.0)
    linear = _linear(turn) * (size / side)
    # OpenCV counts from the middle of the first pixel, boxes from its edge.
    shift = linear @ (0.5 - centre) + size / 2 - 0.5
    crop = cv2.warpAffine(view.picture, np.column_stack([linear, shift]), (size, size), flags=cv2.INTER_LINEAR)
    box = view.box
    middle = linear @ (np.array([box.x + box.width / 2, box.y + box.height / 2]) - centre) + size / 2
    half = np.sqrt(linear**2 @ (np.array([box.width, box.height]) / 2) ** 2)
    return Placed(crop, (np.concatenate([middle - half, 2 * half]) / size).astype(np.float32))


def _linear(turn: Turn) -> np.ndarray:
    cos, sin = np.cos(turn.angle), np.sin(turn.angle)
    root = np.sqrt(turn.stretch)
    mirror = -1.0 if turn.mirrored else 1.0
    return np.array([[mirror * root * cos, -mirror * root * sin], [sin / root, cos / root]])
