"""What happens to a crop's colours and sharpness."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from ostrack_edge.train.data.augment import PUBLISHED, STRONG, Augmentation, change_colours, degrade

NONE = Augmentation(grayscale=0, flip=0, flip_each=0, brightness=0)


@pytest.fixture
def crop() -> np.ndarray:
    small = np.random.default_rng(0).integers(30, 220, (8, 8, 3), np.uint8)
    return cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)


def test_nothing_switched_on_changes_nothing(crop: np.ndarray) -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        assert np.array_equal(degrade(change_colours(crop, NONE, False, random), NONE, random), crop)


def test_the_published_brightness(crop: np.ndarray) -> None:
    assert (PUBLISHED.grayscale, PUBLISHED.flip, PUBLISHED.flip_each) == (0.05, 0.5, 0.5)
    random = np.random.default_rng(1)
    factors = []
    for _ in range(300):
        found = change_colours(crop, PUBLISHED, False, random).astype(float)
        lit = (found > 0) & (found < 255)
        factors.append(found[lit].sum() / crop[lit].sum())
        # One factor for all channels and pixels, to half a level.
        assert np.abs(found - crop * factors[-1])[lit].max() < 1
    assert (min(factors), max(factors)) == pytest.approx((0.8, 1.2), abs=0.01)
    assert np.mean(factors) == pytest.approx(1, abs=0.02)


def test_grey_is_opencvs(crop: np.ndarray) -> None:
    for how in (NONE, STRONG):
        found = change_colours(crop, dataclasses.replace(how, brightness=0, contrast=0, gamma=0, tint=0), True,
                               np.random.default_rng(0))  # fmt: skip
        grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        assert np.abs(found.astype(int) - grey[:, :, None]).max() <= 1


def test_saturation_and_hue_leave_grey_alone() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, 2).repeat(2, 1)
    how = dataclasses.replace(NONE, saturation=0.5, hue=30.0)
    random = np.random.default_rng(0)
    colour = np.full((4, 4, 3), (40, 90, 200), np.uint8)
    seen = []
    for _ in range(50):
        state = random.bit_generator.state
        assert np.abs(change_colours(grey, how, False, random).astype(int) - grey).max() <= 1
        random.bit_generator.state = state
        seen.append(change_colours(colour, how, False, random)[0, 0])
    assert np.ptp(np.array(seen, int), axis=0).min() > 20


def test_contrast_turns_around_the_middle() -> None:
    how = dataclasses.replace(NONE, contrast=0.3)
    levels = np.full((1, 3, 3), 0, np.uint8)
    levels[0] = [[28], [128], [228]]
    spans = set()
    for seed in range(40):
        low, middle, high = change_colours(levels, how, False, np.random.default_rng(seed))[0, :, 0].astype(int)
        assert abs(middle - 128) <= 1
        assert abs((high - middle) - (middle - low)) <= 2
        spans.add(high - low)
    assert min(spans) < 160
    assert max(spans) > 240


@pytest.mark.parametrize("name", ["blur", "noise", "low_resolution", "compression"])
def test_each_degradation_by_its_chance(crop: np.ndarray, name: str) -> None:
    always, half = (dataclasses.replace(NONE, **{name: chance}) for chance in (1.0, 0.5))
    random = np.random.default_rng(0)
    for _ in range(30):
        found = degrade(crop, always, random)
        assert (found.shape, found.dtype) == (crop.shape, np.uint8)
        # Worse, and still the picture.
        assert 0 < np.abs(found.astype(int) - crop).mean() < 25
    changed = sum(not np.array_equal(degrade(crop, half, random), crop) for _ in range(400))
    assert changed == pytest.approx(200, abs=40)


@pytest.mark.parametrize("size", [32, 128, 320])
def test_the_strong_recipe_on_any_size(size: int) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    how = dataclasses.replace(STRONG, blur=1, noise=1, low_resolution=1, compression=1)
    for seed in range(20):
        random = np.random.default_rng(seed)
        found = degrade(change_colours(crop, how, seed % 2 == 0, random), how, random)
        assert (found.shape, found.dtype) == (crop.shape, np.uint8)
        again = np.random.default_rng(seed)
        assert np.array_equal(found, degrade(change_colours(crop, how, seed % 2 == 0, again), how, again))
    assert crop.flags.writeable
