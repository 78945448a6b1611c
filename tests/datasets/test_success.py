import math

import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.datasets import agreement, iou

NAN = Box(math.nan, math.nan, math.nan, math.nan)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (Box(0, 0, 2, 2), Box(0, 0, 2, 2), 1.0),
        (Box(0, 0, 2, 2), Box(1, 0, 2, 2), 1 / 3),
        (Box(0, 0, 2, 2), Box(1, 1, 2, 2), 1 / 7),
        (Box(0, 0, 4, 4), Box(1, 1, 2, 2), 1 / 4),
        (Box(0, 0, 2, 2), Box(2, 0, 2, 2), 0.0),
        (Box(0, 0, 2, 2), Box(5, 5, 2, 2), 0.0),
        (Box(0, 0, 2, 2), Box(0, 0, 0, 2), 0.0),
        (Box(0, 0, 2, 2), NAN, 0.0),
    ],
)
def test_iou(a: Box, b: Box, expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)
    assert iou(b, a) == pytest.approx(expected)


def test_iou_counts_shared_pixels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = (Box(*map(float, [*rng.integers(0, 10, 2), *rng.integers(1, 10, 2)])) for _ in range(2))
        maps = []
        for box in (a, b):
            picture = np.zeros((20, 20), bool)
            picture[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)] = True
            maps.append(picture)
        assert iou(a, b) == pytest.approx((maps[0] & maps[1]).sum() / (maps[0] | maps[1]).sum())


def test_success_is_the_mean_over_21_thresholds_strictly_above() -> None:
    same, half, none = Box(0, 0, 2, 2), Box(0, 0, 2, 1), Box(9, 9, 2, 2)
    found = agreement([same, half, none], [same, same, same])
    assert found is not None
    assert found.frames == 3
    assert found.mean_iou == pytest.approx(0.5)
    # Above: IoU 1 at the 20 thresholds 0 to 0.95, IoU 0.5 at the 10 from 0 to 0.45, IoU 0 at none.
    assert found.success == pytest.approx((20 + 10 + 0) / (3 * 21))


def test_frames_without_a_target_and_beyond_the_truth_are_left_out() -> None:
    same = Box(0, 0, 2, 2)
    found = agreement([same] * 5, [same, NAN, Box(0, 0, 0, 0), same])
    assert found is not None
    assert (found.frames, found.mean_iou) == (2, 1.0)
    assert agreement([same], [NAN]) is None
    assert agreement([], []) is None
