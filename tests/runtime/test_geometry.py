from __future__ import annotations

import math

import numpy as np
import pytest
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.runtime.geometry import (
    Box,
    CropWindow,
    check_box,
    clip_box,
    crop_window,
    hann_window,
    map_box_back,
    template_box,
)


def test_crop_window_rounds_half_to_even_as_published() -> None:
    assert crop_window(Box(10, 10, 20, 20), 2.0) == CropWindow(0, 0, 40)
    # Centre 20.5 less a half side of 20 is 0.5, which rounds to 0; 1.5 rounds to 2.
    assert crop_window(Box(10.5, 11.5, 20, 20), 2.0) == CropWindow(0, 2, 40)
    assert crop_window(Box(0, 0, 3, 3), 1.05).side == 4


def test_a_box_mapped_back_lands_where_it_was() -> None:
    previous = Box(100, 80, 30, 50)
    window = crop_window(previous, 4.0)
    scale = 256 / window.side
    target = Box(110, 70, 40, 20)
    # The published loop takes the crop's centre for the box's own centre, without the rounding of the window.
    left, top = 115 - window.side / 2, 105 - window.side / 2
    crop_box = [
        (target.x + target.width / 2 - left) / window.side,
        (target.y + target.height / 2 - top) / window.side,
        target.width / window.side,
        target.height / window.side,
    ]
    np.testing.assert_allclose(map_box_back(crop_box, previous, scale, 256), target, atol=1e-9)


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        (Box(-5, -5, 20, 20), Box(0, 0, 15, 15)),
        (Box(95, 10, 20, 20), Box(90, 10, 10, 20)),
        (Box(-50, 10, 20, 20), Box(0, 10, 10, 20)),
        (Box(20, 20, 1, 1), Box(20, 20, 10, 10)),
        (Box(-10, -10, 500, 500), Box(0, 0, 100, 100)),
    ],
)
def test_boxes_are_clipped_with_a_margin_of_ten(box: Box, clipped: Box) -> None:
    assert clip_box(box, height=100, width=100) == clipped


def test_hann_window_is_the_published_formula() -> None:
    window = hann_window(16)
    assert window.dtype == np.float32
    expected = [0.5 * (1 - math.cos(2 * math.pi * i / 17)) for i in range(1, 17)]
    np.testing.assert_allclose(window, np.outer(expected, expected), atol=1e-7)


def test_the_target_lies_in_the_middle_of_its_template() -> None:
    box = template_box(Box(5, 5, 20, 10), scale=2.0, size=128)
    np.testing.assert_allclose(box * 128, [63.5 - 20, 63.5 - 10, 40, 20], atol=1e-5)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((1, 2, 3), "four numbers"),
        ("1234", "empty|four"),
        (None, "four numbers"),
        ((1, 2, float("nan"), 4), "not finite"),
        ((1, float("inf"), 3, 4), "not finite"),
        ((1, 2, 0, 4), "empty"),
        ((1, 2, 3, -4), "empty"),
        ((1, "x", 3, 4), "four numbers"),
        ((1, 1, 1e200, 1e200), "beyond"),
        ((1, 1, 10**400, 4), "four numbers"),
    ],
)
def test_boxes_that_are_none_are_refused(box: object, words: str) -> None:
    if box == "1234":
        box = ("1", "2", "3", "")
        words = "four numbers"
    with pytest.raises(InputError, match=words):
        check_box(box)  # type: ignore[arg-type]


def test_a_window_beyond_all_measure_is_refused() -> None:
    with pytest.raises(InputError, match="at most 32000"):
        crop_window(Box(0, 0, 1e6, 1e6), 4.0)
    with pytest.raises(InputError, match="too small"):
        crop_window(Box(0, 0, 1e-200, 1e-200), 4.0)
