"""The crop against a plain statement of the published one, over many windows, sizes and kinds of frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ostrack_edge.runtime.crop import Cropper
from ostrack_edge.runtime.geometry import Box, CropWindow, crop_window


def published_crop(frame: np.ndarray, window: CropWindow, size: int) -> np.ndarray:
    """Pad with zeros, from one pixel before the right and bottom edge on, then resize."""
    height, width = frame.shape[:2]
    x1, y1, side = window
    left, top = max(0, -x1), max(0, -y1)
    right, bottom = max(x1 + side - width + 1, 0), max(y1 + side - height + 1, 0)
    inside = frame[y1 + top : y1 + side - bottom, x1 + left : x1 + side - right]
    padded = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_CONSTANT)
    return cv2.resize(padded, (size, size))


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((360, 480), (1080, 1920), (97, 131), (40, 600))]


@pytest.mark.parametrize("size", [112, 128, 256, 384])
@pytest.mark.parametrize("factor", [2.0, 4.0, 5.0])
def test_equal_to_the_published_crop_wherever_the_box_lies(frames: list[np.ndarray], size: int, factor: float) -> None:
    random = np.random.default_rng(size)
    cropper = Cropper(size)
    compared = 0
    for frame in frames:
        height, width = frame.shape[:2]
        for _ in range(40):
            w, h = random.uniform(5, width), random.uniform(5, height)
            box = Box(random.uniform(-w / 2, width - 12), random.uniform(-h / 2, height - 12), w, h)
            window = crop_window(box, factor)
            assert (cropper.cut(frame, window) == published_crop(frame, window, size)).all(), (frame.shape, box)
            compared += 1
    assert compared == 160


def test_edges_where_the_padding_begins(frames: list[np.ndarray]) -> None:
    frame = frames[2]
    height, width = frame.shape[:2]
    cropper = Cropper(64)
    for x in (0, width - 65, width - 64, width - 63, -1, -63):
        for y in (0, height - 65, height - 64, height - 63, -1, -63):
            window = CropWindow(x, y, 64)
            assert (cropper.cut(frame, window) == published_crop(frame, window, 64)).all(), window


@pytest.mark.parametrize("window", [CropWindow(10, 20, 90), CropWindow(-30, 5, 120), CropWindow(-200, -300, 900)])
def test_grey_alpha_order_and_strides(frames: list[np.ndarray], window: CropWindow) -> None:
    bgr = frames[2]
    plain = Cropper(128).cut(bgr, window).copy()
    grey = np.ascontiguousarray(bgr[:, :, 0])
    for frame in (grey, grey[:, :, None]):
        assert (Cropper(128).cut(frame, window) == plain[:, :, :1]).all()
    bgra = np.dstack([bgr, np.full(bgr.shape[:2], 7, np.uint8)])
    assert (Cropper(128).cut(bgra, window) == plain).all()
    assert (Cropper(128, swap=True).cut(bgra, window) == plain[:, :, ::-1]).all()
    assert (Cropper(128, swap=True).cut(bgr, window) == plain[:, :, ::-1]).all()
    assert (Cropper(128, swap=True).cut(bgr[:, :, ::-1], window) == plain).all()
    wide = np.repeat(np.repeat(bgr, 2, 0), 2, 1)
    assert (Cropper(128).cut(wide[::2, ::2], window) == plain).all()
    assert (Cropper(128).cut(np.asfortranarray(bgr), window) == plain).all()
    assert (Cropper(128).cut(bgr[::-1][::-1], window) == plain).all()


def test_a_window_outside_the_frame_is_black(frames: list[np.ndarray]) -> None:
    cropper = Cropper(64)
    assert cropper.cut(frames[0], CropWindow(0, 0, 100)).any()
    assert not cropper.cut(frames[0], CropWindow(-500, 0, 100)).any()
    assert not cropper.cut(frames[0], CropWindow(480, 0, 100)).any()


def test_nothing_of_the_last_frame_stays_behind(frames: list[np.ndarray]) -> None:
    cropper = Cropper(64)
    white = np.full((300, 300, 3), 255, np.uint8)
    for window in (CropWindow(-50, -50, 200), CropWindow(100, 120, 400), CropWindow(-10, 5, 90)):
        cropper.cut(white, window)
        assert (cropper.cut(frames[0], window) == published_crop(frames[0], window, 64)).all()
