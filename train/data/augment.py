"""How a crop's colours and sharpness change, so that a target is not told by them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LUMA = np.array([0.114, 0.587, 0.299], np.float32)
"""Share of blue, green and red in grey (ITU-R BT.601), as OpenCV has it."""


@dataclass(frozen=True)
class Augmentation:
    """What happens to the two crops of a pair. Chances are 0..1; a spread of 0 switches its change off.

    grayscale, flip: chance, for both crops alike (supplementary, section 1). flip_each: chance, for each crop alone.
    brightness, contrast, saturation: each crop's factor is 1 - spread .. 1 + spread. gamma: the exponent's logarithm,
    hue: the rotation around the grey axis in degrees, tint: each channel's logarithm, all within +- spread.
    rotation: degrees within +- spread; stretch: standard deviation of the logarithm of width over height; template_*:
    the same of the template (the tracker's own is never turned, its target may be). blur, noise, low_resolution,
    compression: chance for each crop. occlusion: chance that part of the target is covered in the search region.
    """

    grayscale: float = 0.05
    flip: float = 0.5
    flip_each: float = 0.5
    brightness: float = 0.2
    contrast: float = 0.0
    saturation: float = 0.0
    gamma: float = 0.0
    hue: float = 0.0
    tint: float = 0.0
    rotation: float = 0.0
    stretch: float = 0.0
    template_rotation: float = 0.0
    template_stretch: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    low_resolution: float = 0.0
    compression: float = 0.0
    occlusion: float = 0.0


PUBLISHED = Augmentation()
"""As published: grey and mirrored pairs, mirrored crops, brightness."""

STRONG = Augmentation(
    grayscale=0.1,
    flip_each=0.1,
    brightness=0.35,
    contrast=0.3,
    saturation=0.4,
    gamma=0.3,
    hue=12.0,
    tint=0.1,
    rotation=15.0,
    stretch=0.12,
    template_rotation=8.0,
    template_stretch=0.06,
    blur=0.25,
    noise=0.15,
    low_resolution=0.2,
    compression=0.15,
    occlusion=0.15,
)
"""For few pictures: a network from scratch has to be shown what does not matter."""


def change_colours(crop: np.ndarray, how: Augmentation, grey: bool, random: np.random.Generator) -> np.ndarray:
    """A crop, uint8 [S, S, 3], BGR, in other light; `grey` takes its colours away."""
    crop = cv2.LUT(crop, _tone_curves(how, random))
    mix = _colour_mix(how, grey, random)
    return crop if mix is None else cv2.transform(crop, mix)


def degrade(crop: np.ndarray, how: Augmentation, random: np.random.Generator) -> np.ndarray:
    """A crop, uint8 [S, S, 3], as a worse camera gives it: coarser, blurred, noisy, compressed."""
    size = crop.shape[0]
    if random.random() < how.low_resolution:
        coarse = max(8, round(size * random.uniform(0.3, 0.8)))
        crop = cv2.resize(cv2.resize(crop, (coarse, coarse), interpolation=cv2.INTER_AREA), (size, size))
    if random.random() < how.blur:
        crop = _blurred(crop, random)
    if random.random() < how.noise:
        strength = random.uniform(2, 14)
        noise = random.standard_normal(crop.shape, np.float32) * np.float32(strength)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if random.random() < how.compression:
        _, data = cv2.imencode(".jpg", crop, (cv2.IMWRITE_JPEG_QUALITY, int(random.integers(15, 60))))
        crop = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return crop


def _tone_curves(how: Augmentation, random: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, gamma and tint as one table: uint8 [256, 1, 3]."""
    brightness = 1 + random.uniform(-how.brightness, how.brightness)
    contrast = 1 + random.uniform(-how.contrast, how.contrast)
    gamma = np.exp(random.uniform(-how.gamma, how.gamma))
    tint = np.exp(random.uniform(-how.tint, how.tint, 3))
    levels = (np.arange(256, dtype=np.float32) / 255) ** np.float32(gamma)
    levels = (levels - 0.5) * contrast + 0.5
    curves = levels[:, None, None] * brightness * tint[None, None, :]
    return np.clip(np.rint(curves * 255), 0, 255).astype(np.uint8)


def _colour_mix(how: Augmentation, grey: bool, random: np.random.Generator) -> np.ndarray | None:
    """The matrix that turns hue and saturation, float32 [3, 3] on BGR; None where it would change nothing."""
    saturation = 1 + random.uniform(-how.saturation, how.saturation)
    hue = np.deg2rad(random.uniform(-how.hue, how.hue))
    if grey:
        return np.tile(LUMA, (3, 1))
    if not (how.saturation or how.hue):
        return None
    fade = (1 - saturation) * np.tile(LUMA, (3, 1)) + saturation * np.eye(3)
    return (fade @ _turn_around_grey(hue)).astype(np.float32)


def _turn_around_grey(angle: float) -> np.ndarray:
    """Rotation around the axis of equal channels (Rodrigues' formula): float64 [3, 3]."""
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    return np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) / 3 * np.ones((3, 3))


def _blurred(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Out of focus, or moved while the shutter was open."""
    size = crop.shape[0]
    if random.random() < 0.5:
        return cv2.GaussianBlur(crop, (0, 0), random.uniform(0.4, size / 80))
    length = max(3, int(random.uniform(0.02, 0.09) * size))
    kernel = np.zeros((length, length), np.float32)
    middle, angle = (length - 1) / 2, random.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(int(v) for v in np.rint(middle + sign * reach)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return cv2.filter2D(crop, -1, kernel / kernel.sum())
