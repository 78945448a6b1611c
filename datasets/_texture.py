"""Pictures that the rendered scene is put together from: fields seen from above, a balloon, a wooden mast."""

from __future__ import annotations

import numpy as np

from ..runtime.opencv import cv2

# Blue, green, red of what grows and lies there.
_FIELDS = np.array(
    [[62, 118, 96], [78, 142, 128], [96, 160, 176], [84, 126, 154], [54, 98, 70], [104, 148, 148], [70, 108, 122]],
    np.float32,
)
_HEDGE = np.array([38, 66, 46], np.float32)
_ROAD = (150, 156, 160)
_GORES = np.array([[52, 48, 196], [226, 228, 232], [44, 160, 232], [168, 84, 40]], np.float32)


def cloud_noise(rng: np.random.Generator, width: int, height: int, coarse: int, octaves: int) -> np.ndarray:
    """Smooth noise with the 1/f look of natural pictures: float32 [height, width], mean near 0, about -1..1.

    The first octave has `coarse` cells along the shorter side, every further one twice as many at half the strength.
    """
    total = np.zeros((height, width), np.float32)
    cell = min(width, height) / coarse
    strength = 1.0
    for _ in range(octaves):
        grid = (max(2, round(height / cell) + 1), max(2, round(width / cell) + 1))
        values = rng.uniform(-1, 1, grid).astype(np.float32)
        total += strength * cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC)
        cell, strength = max(1.0, cell / 2), strength / 2
    return total / 2


def fields_from_above(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A patchwork of fields with furrows, hedges, roads and trees: uint8 [height, width, 3], BGR."""
    unit = min(width, height)
    nearest, gap = _patchwork(rng, width, height, unit / 4.5)
    count = int(nearest.max()) + 1
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    direction = rng.uniform(0, np.pi, count).astype(np.float32)
    along = x * np.cos(direction)[nearest] + y * np.sin(direction)[nearest]
    furrows = np.sin(along * (2 * np.pi / (unit * rng.uniform(0.012, 0.03, count).astype(np.float32)))[nearest])
    furrows *= rng.uniform(0, 9, count).astype(np.float32)[nearest]
    grain = 16 * cloud_noise(rng, width, height, 6, 6) + 22 * cloud_noise(rng, width, height, 2, 2)
    picture = _FIELDS[rng.integers(0, len(_FIELDS), count)][nearest] + (furrows + grain)[:, :, None]
    hedge = np.clip(2 - gap / (0.006 * unit), 0, 1)[:, :, None] * 0.85
    picture += hedge * (_HEDGE + 0.8 * grain[:, :, None] - picture)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    _draw_roads(picture, rng, unit)
    _draw_trees(picture, rng, unit)
    return cv2.GaussianBlur(picture, (0, 0), 0.7)


def balloon_skin(rng: np.random.Generator, side: int = 256) -> np.ndarray:
    """A striped ball, lit from the upper left, that fills its square: uint8 [side, side, 3], BGR."""
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    # Gores of a sphere seen from the side: their edges are meridians.
    meridian = np.arcsin(np.clip(x / np.sqrt(np.maximum(1 - y * y, 1e-3)), -1, 1)) / np.pi + 0.5
    gore = np.floor(meridian * 7 + rng.uniform(0, 1)).astype(int)
    picture = _GORES[gore % len(_GORES)]
    belt = np.broadcast_to((np.abs(y + 0.12) < 0.16)[:, :, None], picture.shape)
    picture = np.where(belt, _GORES[(gore + 2) % len(_GORES)] * 0.55 + 40, picture)
    towards_light = np.clip(np.sqrt(np.maximum(1 - x * x - y * y, 0)) * 0.75 - 0.4 * x - 0.5 * y, 0, 1)
    picture = picture * (0.5 + 0.6 * towards_light)[:, :, None]
    picture += 7 * cloud_noise(rng, side, side, 8, 4)[:, :, None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def mast_wood(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A round wooden mast with grain along it: uint8 [height, width, 3], BGR."""
    grain = cv2.resize(cloud_noise(rng, max(8, width), max(8, height // 10), 2, 5), (width, height))
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    shade = 0.45 + 0.6 * np.sqrt(np.maximum(1 - (across + 0.25) ** 2 / 1.6, 0))
    picture = np.array([74, 98, 122], np.float32) * (shade * (1 + 0.35 * grain))[:, :, None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def _patchwork(rng: np.random.Generator, width: int, height: int, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Cells around jittered grid points: nearest, int [H, W], and distance to the border, float32 [H, W]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    # Borders of real fields are straight only from afar.
    x += 0.1 * cell * cloud_noise(rng, width, height, 4, 4)
    y += 0.1 * cell * cloud_noise(rng, width, height, 4, 4)
    nearest = np.zeros((height, width), np.intp)
    best = np.full((height, width), np.inf, np.float32)
    second = best.copy()
    points = [
        ((column + rng.uniform(0.1, 0.9)) * cell, (row + rng.uniform(0.1, 0.9)) * cell)
        for row in range(-1, int(height / cell) + 2)
        for column in range(-1, int(width / cell) + 2)
    ]
    for index, (px, py) in enumerate(points):
        distance = np.hypot(x - np.float32(px), y - np.float32(py))
        closer = distance < best
        second = np.where(closer, best, np.minimum(second, distance))
        best = np.where(closer, distance, best)
        nearest[closer] = index
    return nearest, (second - best) / 2


def _draw_roads(picture: np.ndarray, rng: np.random.Generator, unit: int) -> None:
    height, width = picture.shape[:2]
    for _ in range(2):
        x = np.linspace(-0.1 * width, 1.1 * width, 40)
        slope, bend, phase = rng.uniform(-0.5, 0.5), rng.uniform(0.04, 0.12) * unit, rng.uniform(0, 2 * np.pi)
        y = rng.uniform(0.2, 0.8) * height + slope * (x - width / 2) + bend * np.sin(x / unit * 2.5 + phase)
        points = [np.stack([x, y], 1).round().astype(np.int32)]
        cv2.polylines(picture, points, False, (84, 96, 96), max(2, round(0.034 * unit)), cv2.LINE_AA)
        cv2.polylines(picture, points, False, _ROAD, max(1, round(0.024 * unit)), cv2.LINE_AA)


def _draw_trees(picture: np.ndarray, rng: np.random.Generator, unit: int) -> None:
    height, width = picture.shape[:2]
    for _ in range(round(60 * width * height / unit**2)):
        x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        radius = max(1, round(rng.uniform(0.006, 0.018) * unit))
        green = rng.uniform(0.75, 1.2)
        cv2.circle(picture, (x + radius // 2, y + radius // 2), radius, (30, 44, 36), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, y), radius, (44 * green, 84 * green, 60 * green), -1, cv2.LINE_AA)
        cv2.circle(
            picture,
            (x - radius // 3, y - radius // 3),
            max(1, radius // 2),
            (60 * green, 112 * green, 84 * green),
            -1,
            cv2.LINE_AA,
        )
