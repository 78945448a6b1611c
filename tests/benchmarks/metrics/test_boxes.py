import math

import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.benchmarks.metrics import centre_errors, clip_as_got10k, clip_to_frame, iou, repeat_invalid
from ostrack_edge.datasets import iou as iou_of_two

NAN = (math.nan,) * 4


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (1, 0, 2, 2), 1 / 3),
        ((0, 0, 2, 2), (1, 1, 2, 2), 1 / 7),
        ((0, 0, 4, 4), (1, 1, 2, 2), 1 / 4),
        ((0, 0, 2, 2), (2, 0, 2, 2), 0.0),
        ((0, 0, 2, 2), (0, 0, 0, 2), 0.0),
        ((0, 0, 2, 2), (0, 0, -2, -2), 0.0),
        ((0, 0, 2, 2), (math.inf, 0, 2, 2), 0.0),
        ((0, 0, 2, 2), NAN, 0.0),
    ],
)
def test_iou(a: tuple[float, ...], b: tuple[float, ...], expected: float) -> None:
    assert iou(np.asarray(a), np.asarray(b)) == pytest.approx(expected)
    assert iou(np.asarray([b]), np.asarray([a])) == pytest.approx([expected])


def test_iou_is_that_of_two_boxes() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 10, (2, 200, 4))
    expected = [iou_of_two(Box(*x), Box(*y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert iou(a, b) == pytest.approx(expected)
    assert iou(a, a).max() <= 1.0


def test_iou_broadcasts() -> None:
    found = iou(np.array([[[0, 0, 2, 2]], [[1, 0, 2, 2]]]), np.array([0, 0, 2, 2]))
    assert found == pytest.approx(np.array([[1.0], [1 / 3]]))


def test_centre_errors() -> None:
    truth = np.array([[10, 20, 10, 40], [10, 20, 10, 40], NAN, [0, 0, 5, 0]])
    boxes = np.array([[13, 24, 10, 40], [10, 20, 16, 48], [1, 1, 2, 2], [1, 1, 2, 2]], float)
    pixels, normalised = centre_errors(boxes, truth)
    assert pixels == pytest.approx([5, 5, np.inf, np.inf])
    assert normalised == pytest.approx([math.hypot(0.3, 0.1), math.hypot(0.3, 0.1), np.inf, np.inf])


def test_a_box_is_exactly_on_itself() -> None:
    boxes = np.random.default_rng(4).uniform(1, 100, (500, 4))
    pixels, normalised = centre_errors(boxes, boxes)
    assert pixels.max() == normalised.max() == 0
    assert iou(boxes, boxes) == pytest.approx(np.ones(500))


def test_clipping_cuts_a_box_and_got10k_shifts_it() -> None:
    boxes = np.array([[-10, -20, 50, 60], [90, 70, 50, 60], [200, 0, 5, 5], [10, 10, 5, 5]], float)
    assert clip_to_frame(boxes, (100, 80)).tolist() == [
        [0, 0, 40, 40],
        [90, 70, 10, 10],
        [100, 0, 0, 5],
        [10, 10, 5, 5],
    ]
    assert clip_as_got10k(boxes, (100, 80)).tolist() == [
        [0, 0, 50, 60],
        [90, 70, 10, 10],
        [100, 0, 0, 5],
        [10, 10, 5, 5],
    ]


def test_an_invalid_result_repeats_the_one_before() -> None:
    boxes = np.array([[1, 1, 5, 5], NAN, [2, 2, 0, 5], [3, 3, 5, 5], [4, 4, -1, 5]])
    repaired = repeat_invalid(boxes, np.array([True, True, True, True, False]))
    assert repaired[:4].tolist() == [[1, 1, 5, 5], [1, 1, 5, 5], [1, 1, 5, 5], [3, 3, 5, 5]]
    assert repaired[4].tolist() == [4, 4, -1, 5]
    assert np.isnan(boxes[1]).all()
