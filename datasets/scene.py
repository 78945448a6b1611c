"""A rendered clip with exact ground truth, so that everything can be tried without a file of anyone's.

A striped balloon drifts over fields that a camera pans across; it turns, grows and shrinks, the shadows of clouds pass,
and a mast hides part of it for a while. Run as a module it writes the clip and its ground truth:

    python -m ostrack_edge.datasets.scene demo/clip.mp4
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..runtime.errors import InputError
from ..runtime.geometry import Box
from ..runtime.opencv import cv2
from ._texture import balloon_skin, cloud_noise, fields_from_above, mast_wood
from .boxes import truth_path, write_boxes
from .recording import record_video

_SMALLEST = 64
"""Shortest side of a frame in pixels: below it the target is a smear."""

_SIZE = 0.08
"""The target's longer half axis at scale 1, as a share of the frame's shorter side."""

_SCALES = (0.7, 1.5)
_MAST_AT = 0.6
"""Share of the clip at which the mast stands right before the target."""


@dataclass(frozen=True)
class _Pose:
    """Where the target's ellipse is: centre and half axes in pixels of the frame, angle in radians."""

    x: float
    y: float
    a: float
    b: float
    angle: float

    @property
    def half_extents(self) -> tuple[float, float]:
        """Half width and half height of the upright rectangle around the turned ellipse."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return math.hypot(self.a * cos, self.b * sin), math.hypot(self.a * sin, self.b * cos)


@dataclass(frozen=True)
class Scene:
    """A clip of `frames` frames of `width` x `height` pixels; the same seed gives the same clip.

    Every frame is computed on its own. Raises InputError for a size below 64 pixels or a clip without frames.
    """

    width: int = 640
    height: int = 480
    frames: int = 120
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.width, self.height) < _SMALLEST or self.frames < 1 or self.seed < 0:
            raise InputError(
                f"a scene of {self.width} x {self.height} pixels, {self.frames} frames and seed {self.seed} cannot be "
                f"rendered; give at least {_SMALLEST} x {_SMALLEST} pixels, one frame and a seed of 0 or more"
            )

    def __len__(self) -> int:
        return self.frames

    def frame(self, i: int) -> np.ndarray:
        """Frame `i`, counted from 0: uint8 [height, width, 3], BGR. Raises IndexError."""
        pose = self._pose(i)
        picture = self._ground_seen(i)
        self._put_target(picture, pose)
        self._put_mast(picture, i)
        return self._lit(picture, i)

    def box(self, i: int) -> Box:
        """The target's upright extent in frame `i`, with what the mast hides: pixels, exact. Raises IndexError."""
        pose = self._pose(i)
        half_width, half_height = pose.half_extents
        return Box(pose.x - half_width, pose.y - half_height, 2 * half_width, 2 * half_height)

    def visible(self, i: int) -> float:
        """Share of the target's area, 0..1, that the mast leaves in sight in frame `i`. Raises IndexError."""
        pose = self._pose(i)
        _, _, target = self._target_mask(pose)
        _, columns = self._target_window(pose)
        return float((target * (1 - self._mast_mask(i)[columns])).sum() / target.sum())

    def write_video(self, path: str | Path, fps: float = 25) -> None:
        """Write the clip (mp4 or avi) and, beside it, NAME.groundtruth.txt; neither where the video cannot be written.

        Raises FootageError.
        """
        path = Path(path)
        with record_video(path, (self.width, self.height), fps) as recording:
            for i in range(self.frames):
                recording.write(self.frame(i))
            recording.finish()
            write_boxes(truth_path(path), [self.box(i) for i in range(self.frames)])

    # ---- motion: at a fixed pace per frame, so that a short clip is no wilder than a long one

    def _pose(self, i: int) -> _Pose:
        if not 0 <= i < self.frames:
            raise IndexError(f"frame {i} of a scene of {self.frames} frames")
        unit, phase = min(self.width, self.height), self._phases
        low, high = _SCALES
        a = _SIZE * unit * math.sqrt(low * high) * math.sqrt(high / low) ** _wave(i, 110, phase[0])
        # The path keeps the largest ellipse inside the frame, however it is turned.
        margin = 1.05 * _SIZE * high * unit
        x = (self.width / 2 - margin) * (0.75 * _wave(i, 160, phase[1]) + 0.25 * _wave(i, 70, phase[2]))
        y = (self.height / 2 - margin) * (0.7 * _wave(i, 130, phase[3]) + 0.3 * _wave(i, 60, phase[4]))
        return _Pose(self.width / 2 + x, self.height / 2 + y, a, 0.75 * a, 0.4 * _wave(i, 95, phase[5]))

    @cached_property
    def _phases(self) -> list[float]:
        return np.random.default_rng([self.seed, 0]).uniform(0, 2 * math.pi, 12).tolist()

    def _mast_edges(self, i: int) -> tuple[float, float]:
        """Left and right edge of the mast: it crosses the frame once and covers half of the target at `_MAST_AT`."""
        meeting = round(_MAST_AT * (self.frames - 1))
        pose = self._pose(meeting)
        half = 0.4 * pose.half_extents[0]
        # Quick enough that it stands clear of the target in the first frame of a short clip.
        pace = self.width * max(0.012, 0.5 / max(1, meeting))
        centre = pose.x + pace * (meeting - i)
        return centre - half, centre + half

    # ---- what is seen: pixel n covers n to n + 1

    @cached_property
    def _ground(self) -> np.ndarray:
        return fields_from_above(self._rng(1), round(1.5 * self.width), round(1.5 * self.height))

    @cached_property
    def _skin(self) -> np.ndarray:
        return balloon_skin(self._rng(2))

    @cached_property
    def _wood(self) -> np.ndarray:
        left, right = self._mast_edges(0)
        return mast_wood(self._rng(3), math.ceil(right - left) + 1, self.height)

    @cached_property
    def _shadows(self) -> np.ndarray:
        """Shade of the clouds, 0..1, for a sky of four by four frames at a sixteenth of the resolution."""
        noise = cloud_noise(self._rng(4), math.ceil(self.width / 4), math.ceil(self.height / 4), 5, 3)
        return np.clip(2.5 * noise + 0.1, 0, 1)

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream])

    def _ground_seen(self, i: int) -> np.ndarray:
        """The fields through a camera that pans, tilts and zooms a little: uint8 [H, W, 3]."""
        phase = self._phases
        angle, zoom = 0.05 * _wave(i, 210, phase[6]), 1.08 + 0.06 * _wave(i, 180, phase[7])
        cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
        height, width = self._ground.shape[:2]
        x = width / 2 + 0.13 * width * _wave(i, 240, phase[8])
        y = height / 2 + 0.13 * height * _wave(i, 190, phase[9])
        shift_x = self.width / 2 - cos * x + sin * y
        shift_y = self.height / 2 - sin * x - cos * y
        matrix = np.array([[cos, -sin, shift_x], [sin, cos, shift_y]])
        return cv2.warpAffine(self._ground, matrix, (self.width, self.height), borderMode=cv2.BORDER_REFLECT)

    def _target_window(self, pose: _Pose) -> tuple[slice, slice]:
        """Rows and columns of the frame that the target can touch."""
        half_width, half_height = pose.half_extents
        return (
            slice(max(0, math.floor(pose.y - half_height) - 1), math.ceil(pose.y + half_height) + 1),
            slice(max(0, math.floor(pose.x - half_width) - 1), math.ceil(pose.x + half_width) + 1),
        )

    def _target_mask(self, pose: _Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """In the target's window: the place on its skin, across and down, -1..1; the share it covers of each pixel."""
        rows, columns = self._target_window(pose)
        x = np.arange(columns.start, min(columns.stop, self.width))[None, :] + 0.5 - pose.x
        y = np.arange(rows.start, min(rows.stop, self.height))[:, None] + 0.5 - pose.y
        cos, sin = math.cos(pose.angle), math.sin(pose.angle)
        u, v = (cos * x + sin * y) / pose.a, (cos * y - sin * x) / pose.b
        # Distance to the outline in pixels, to first order: the value over the length of its gradient.
        radius = np.maximum(np.hypot(u, v), 1e-6)
        distance = (radius - 1) * radius / np.maximum(np.hypot(u / pose.a, v / pose.b), 1e-9)
        return u, v, np.clip(0.5 - distance, 0, 1)

    def _put_target(self, picture: np.ndarray, pose: _Pose) -> None:
        u, v, mask = self._target_mask(pose)
        side = self._skin.shape[0]
        place = [((1 + w) * side / 2 - 0.5).astype(np.float32) for w in (u, v)]
        seen = cv2.remap(self._skin, place[0], place[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        _blend(picture[self._target_window(pose)], seen, mask)

    def _mast_mask(self, i: int) -> np.ndarray:
        """Share of each column that the mast covers: float [width]."""
        left, right = self._mast_edges(i)
        column = np.arange(self.width)
        return np.clip(np.minimum(column + 1, right) - np.maximum(column, left), 0, 1)

    def _put_mast(self, picture: np.ndarray, i: int) -> None:
        mask = self._mast_mask(i)
        columns = np.flatnonzero(mask)
        if not columns.size:
            return
        first = math.floor(self._mast_edges(i)[0])
        window = slice(int(columns[0]), int(columns[-1]) + 1)
        wood = self._wood[:, window.start - first : window.stop - first]
        _blend(picture[:, window], wood, mask[None, window])

    def _lit(self, picture: np.ndarray, i: int) -> np.ndarray:
        """The picture under a sky that brightens and dims, with the shadows of drifting clouds."""
        brightness = 1 + 0.12 * _wave(i, 140, self._phases[10])
        height, width = self._shadows.shape
        matrix = np.array([[8.0, 0, -0.3 * i - 2 * width], [0, 8.0, -0.2 * i - 2 * height]])
        shade = cv2.warpAffine(self._shadows, matrix, (self.width, self.height), borderMode=cv2.BORDER_REFLECT)
        light = (brightness * (1 - 0.35 * shade)).astype(np.float32)
        return cv2.multiply(picture, cv2.merge([light, light, light]), dtype=cv2.CV_8U)


def _wave(i: int, period: float, phase: float) -> float:
    return math.sin(2 * math.pi * i / period + phase)


def _blend(under: np.ndarray, over: np.ndarray, mask: np.ndarray) -> None:
    """Lay `over` onto `under`, uint8 [h, w, 3], in place, by the share `mask`, 0..1, [h, w]."""
    mixed = under + mask[:, :, None] * (over.astype(np.float64) - under)
    under[:] = np.rint(mixed)


def main() -> None:
    """Write a clip and its ground truth, as the arguments say."""
    import typer

    from .._command import run_app

    app = typer.Typer(add_completion=False)

    @app.command()
    def render(
        clip: Path, width: int = 640, height: int = 480, frames: int = 120, seed: int = 0, fps: float = 25.0
    ) -> None:
        """Render a balloon over fields to CLIP (mp4 or avi) and its boxes to NAME.groundtruth.txt beside it."""
        Scene(width, height, frames, seed).write_video(clip, fps)
        print(f"wrote {clip} and {truth_path(clip)}")

    run_app(app)


if __name__ == "__main__":
    main()
