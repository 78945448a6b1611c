"""Training crops against the tracker's own, and boxes against what can be seen in the crop."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ostrack_edge.runtime.crop import Cropper
from ostrack_edge.runtime.geometry import Box, crop_window
from ostrack_edge.train.data.crops import Jitter, Turn, jittered, place
from ostrack_edge.train.data.sources import View


def smooth_picture(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return cv2.resize(random.integers(0, 256, (20, 30, 3), np.uint8), (300, 200), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    "box",
    [
        Box(100, 60, 32, 32),  # a crop of 128 pixels, as large as the window
        Box(150, 80, 16, 64),  # the same, of a long target
        Box(130, 90, 16, 16),  # enlarged
        Box(120, 70, 40, 40),  # reduced
        Box(10, 20, 32, 32),  # beyond the upper left corner
        Box(250, 150, 32, 32),  # beyond the lower right one
    ],
)
def test_equal_to_the_trackers_crop(box: Box) -> None:
    picture = smooth_picture(1)
    window = crop_window(box, 4.0)
    assert window.side == 4 * (box.width * box.height) ** 0.5
    assert window.x + window.side / 2 == box.x + box.width / 2
    expected = Cropper(128).cut(picture, window).astype(int)
    found = place(View(picture, box), box, 4.0, 128, Turn()).crop
    assert (found.shape, found.dtype) == ((128, 128, 3), np.uint8)
    apart = np.abs(found - expected)
    # Older releases of OpenCV round a warp to 32nds of a pixel. Apart from that the two differ at edges: that of the
    # window, beyond which a resized cut-out knows nothing; and the picture's, where one fades to black, and the other
    # stops a pixel early.
    scale = 128 / window.side
    at = (np.arange(128) + 0.5) / scale
    columns, rows = (
        (at >= 0.5) & (at <= window.side - 0.5) & (at + start >= 1.5) & (at + start <= end - 2.5)
        for start, end in ((window.x, 300), (window.y, 200))
    )
    assert columns.sum() > 80
    assert rows.sum() > 80
    assert apart[rows][:, columns].max() <= 3
    assert not found[at + window.y < -1].any()


def test_the_targets_box_in_its_own_crop() -> None:
    placed = place(View(smooth_picture(0), Box(100, 50, 20, 45)), Box(100, 50, 20, 45), 2.0, 64, Turn())
    assert placed.box.dtype == np.float32
    width, height = 20 / 60, 45 / 60  # the crop is 2 sqrt(20 x 45) = 60 pixels wide
    assert placed.box == pytest.approx([0.5 - width / 2, 0.5 - height / 2, width, height])


def edges_of(crop: np.ndarray) -> np.ndarray:
    """x, y, w, h in 0..1 of the crop, of what is bright in it, to a fraction of a pixel."""
    bright = crop[:, :, 1].astype(float) / 255
    columns, rows = bright.max(0), bright.max(1)
    x, y = np.flatnonzero(columns > 0.5), np.flatnonzero(rows > 0.5)
    return np.array([x[0], y[0], x[-1] - x[0] + 1, y[-1] - y[0] + 1]) / crop.shape[0]


def test_boxes_are_where_the_rectangle_is_seen() -> None:
    random = np.random.default_rng(0)
    mirrored_seen = set()
    for _ in range(60):
        width, height = (int(v) for v in random.integers(14, 60, 2))
        x, y = (int(v) for v in random.integers(150, 250, 2))
        picture = np.zeros((400, 400, 3), np.uint8)
        picture[y : y + height, x : x + width] = 255
        box = Box(x, y, width, height)
        around = jittered(box, Jitter(1.5, 0.25), random)
        turn = Turn(0.0, float(np.exp(random.normal(0, 0.2))), bool(random.random() < 0.5))
        placed = place(View(picture, box), around, 4.0, 256, turn)
        mirrored_seen.add(turn.mirrored)
        inside = placed.box[:2].min() > 0 and (placed.box[:2] + placed.box[2:]).max() < 1
        if inside:
            assert edges_of(placed.crop) == pytest.approx(placed.box, abs=1.5 / 256)
    assert mirrored_seen == {True, False}


def test_mirroring_is_along_the_row_and_around_the_crop() -> None:
    picture, box = smooth_picture(3), Box(140, 90, 30, 20)
    around = Box(130, 85, 40, 25)
    plain = place(View(picture, box), around, 4.0, 128, Turn())
    mirror = place(View(picture, box), around, 4.0, 128, Turn(mirrored=True))
    assert np.abs(plain.crop[:, ::-1].astype(int) - mirror.crop).max() <= 3
    x, y, width, height = plain.box
    assert mirror.box == pytest.approx([1 - x - width, y, width, height], abs=1e-6)


def ellipse(centre: np.ndarray, axes: tuple[float, float]) -> np.ndarray:
    """White on black, uint8 [400, 400, 3], half grey on its outline."""
    x, y = (np.arange(400) + 0.5)[None, :] - centre[0], (np.arange(400) + 0.5)[:, None] - centre[1]
    radius = np.hypot(x / axes[0], y / axes[1])
    outside = (radius - 1) * radius / np.hypot(x / axes[0] ** 2, y / axes[1] ** 2)
    return np.repeat((np.clip(0.5 - outside, 0, 1) * 255).astype(np.uint8)[:, :, None], 3, 2)


def test_a_turned_targets_box_is_that_of_its_ellipse() -> None:
    random = np.random.default_rng(1)
    for _ in range(30):
        width, height = random.uniform(40, 90, 2)
        centre = random.uniform(190, 210, 2)
        picture = ellipse(centre, (width / 2, height / 2))
        box = Box(centre[0] - width / 2, centre[1] - height / 2, width, height)
        turn = Turn(random.uniform(-0.6, 0.6), float(np.exp(random.normal(0, 0.15))), bool(random.random() < 0.5))
        placed = place(View(picture, box), box, 2.5, 256, turn)
        assert edges_of(placed.crop) == pytest.approx(placed.box, abs=1.5 / 256)


def test_the_middle_of_the_crop_is_the_middle_of_the_box_around() -> None:
    view = View(smooth_picture(0), Box(100, 50, 20, 20))
    placed = place(view, Box(90, 50, 40, 10), 4.0, 128, Turn(angle=0.5, stretch=1.3, mirrored=True))
    assert placed.box[:2] + placed.box[2:] / 2 == pytest.approx([0.5, 0.5 + 5 / 80 * np.cos(0.5) / 1.3**0.5], abs=0.05)
    same = place(view, Box(95, 45, 30, 30), 4.0, 128, Turn(angle=0.5, stretch=1.3, mirrored=True))
    assert same.box[:2] + same.box[2:] / 2 == pytest.approx([0.5, 0.5], abs=1e-6)


def test_the_jitter_as_published() -> None:
    random = np.random.default_rng(2)
    box = Box(100, 200, 30, 60)
    strayed = np.array([jittered(box, Jitter(3.0, 0.25), random) for _ in range(20_000)])
    logs = np.log(strayed[:, 2:] / [30, 60])
    assert logs.mean(0) == pytest.approx([0, 0], abs=0.01)
    assert logs.std(0) == pytest.approx([0.25, 0.25], rel=0.03)
    assert abs(np.corrcoef(logs.T)[0, 1]) < 0.03
    # The offset, uniform on both axes within half of 3 sqrt(w h) of the strayed box.
    offset = strayed[:, :2] + strayed[:, 2:] / 2 - [115, 230]
    share = offset / np.sqrt(strayed[:, 2] * strayed[:, 3])[:, None]
    assert np.abs(share).max() <= 1.5
    assert np.abs(share).max(0) == pytest.approx([1.5, 1.5], abs=0.01)
    assert share.std(0) == pytest.approx([3 / 12**0.5] * 2, rel=0.03)
    assert abs(np.corrcoef(share.T)[0, 1]) < 0.03


def test_no_jitter_is_no_change() -> None:
    box = Box(1.5, 2.5, 30, 60)
    assert jittered(box, Jitter(), np.random.default_rng(0)) == pytest.approx(box)
