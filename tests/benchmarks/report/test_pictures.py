"""Pictures of moments: the right part of the frame, with every box where it belongs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ostrack_edge.benchmarks.report_html.palette import SERIES_DARK, bgr
from ostrack_edge.benchmarks.report_html.pictures import PICTURE_WIDTH, draw_moment, encode_jpeg


def test_colours_are_read() -> None:
    assert bgr("#0b62ad") == (0xAD, 0x62, 0x0B)


def test_the_whole_frame_is_shown_where_boxes_are_far_apart() -> None:
    frame = np.full((240, 480, 3), 90, np.uint8)
    truth, box = np.array([20.0, 30, 60, 40]), np.array([380.0, 170, 80, 50])
    picture = draw_moment(frame, truth, {1: box})
    assert picture.shape == (240, PICTURE_WIDTH, 3)
    np.testing.assert_array_equal(picture[30, 50], (255, 255, 255))
    np.testing.assert_array_equal(picture[220, 420], bgr(SERIES_DARK[1]))
    np.testing.assert_array_equal(picture[120, 240], (90, 90, 90))
    assert (frame == 90).all(), "the frame itself is left as it was"


def test_a_small_target_is_shown_large() -> None:
    frame = np.zeros((720, 1280, 3), np.uint8)
    frame[400:404, 900:904] = (0, 200, 0)
    picture = draw_moment(frame, np.array([890.0, 390, 24, 24]), {})
    assert picture.shape == (270, PICTURE_WIDTH, 3)
    green = np.argwhere((picture[..., 1] > 150) & (picture[..., 2] < 50))
    np.testing.assert_allclose(green.mean(axis=0), (135, 240), atol=4)


@pytest.mark.parametrize("box", [[-5000.0, -9000, 20, 20], [1e9, 1e9, 5, 5], [np.nan] * 4])
def test_boxes_outside_the_frame_are_no_trouble(box: list[float]) -> None:
    frame = np.full((100, 200, 3), 90, np.uint8)
    picture = draw_moment(frame, np.array([50.0, 40, 30, 20]), {9: np.array(box)})
    assert picture.shape[1] == PICTURE_WIDTH
    assert (picture == 255).all(axis=2).any(), "the truth is drawn"


def test_jpeg() -> None:
    picture = np.full((60, 80, 3), 120, np.uint8)
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(picture), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    np.testing.assert_allclose(decoded, picture, atol=2)
