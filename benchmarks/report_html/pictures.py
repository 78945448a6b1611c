"""Pictures of single moments: the part of a frame that matters, with the truth and every entrant's box."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...runtime.errors import BenchmarkError
from ...runtime.opencv import cv2
from .palette import SERIES_DARK, bgr

PICTURE_WIDTH = 480
"""Widest picture, pixels: two fit side by side on a laptop, and a page of thirty stays below some megabytes."""

_SMALLEST_VIEW = 160
_CONTEXT = 2.2
_QUALITY = 80
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)


def draw_moment(frame: np.ndarray, truth: np.ndarray, boxes: Mapping[int, np.ndarray]) -> np.ndarray:
    """The view around the truth and all boxes, uint8 [h, w, 3] BGR, at most PICTURE_WIDTH wide.

    frame: uint8 [H, W, 3], BGR; truth: [4] x, y, w, h, pixels, drawn white; boxes: the same by place of the entrant,
    drawn in its colour, NaN where it has none.
    """
    given = {place: box for place, box in boxes.items() if np.isfinite(box).all()}
    x, y, width, height = _view(np.stack([truth, *given.values()]), frame.shape[1], frame.shape[0])
    view = frame[y : y + height, x : x + width]
    scale = min(PICTURE_WIDTH / width, 4.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = cv2.resize(view, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    _rectangle(picture, (truth - [x, y, 0, 0]) * scale, _WHITE, 3)
    for place, box in given.items():
        _rectangle(picture, (box - [x, y, 0, 0]) * scale, bgr(SERIES_DARK[place % len(SERIES_DARK)]), 2)
    return picture


def encode_jpeg(picture: np.ndarray) -> bytes:
    """A picture, uint8 [h, w, 3] BGR, as a JPEG file. Raises BenchmarkError."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise BenchmarkError("this OpenCV cannot write JPEG pictures; leave them out with --pictures 0")
    return data.tobytes()


def _view(boxes: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """x, y, width, height of the part of a frame of width x height that shows `boxes` [n, 4] and their surroundings.

    It has the frame's shape, so that a page of pictures is a regular one, and lies within the frame.
    """
    low = np.clip(boxes[:, :2].min(axis=0), 0, (width, height))
    high = np.clip((boxes[:, :2] + boxes[:, 2:]).max(axis=0), 0, (width, height))
    reach = (high - low) * _CONTEXT
    share = max(reach[0] / width, reach[1] / height, _SMALLEST_VIEW / max(width, height))
    share = min(1.0, float(share))
    across, down = max(1, round(width * share)), max(1, round(height * share))
    middle = (low + high) / 2
    x = min(max(0, round(float(middle[0]) - across / 2)), width - across)
    y = min(max(0, round(float(middle[1]) - down / 2)), height - down)
    return x, y, across, down


def _rectangle(picture: np.ndarray, box: np.ndarray, color: tuple[int, int, int], line: int) -> None:
    # A box far outside the view would overflow OpenCV's fixed-point coordinates.
    corners = np.clip(np.array([box[:2], box[:2] + box[2:]]), -4000, 4000).round().astype(int).tolist()
    for ink, thickness in ((_BLACK, line + 2), (color, line)):
        cv2.rectangle(picture, corners[0], corners[1], ink, thickness, cv2.LINE_AA)
