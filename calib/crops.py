"""Calibration crops: what the two graphs see while a target is tracked."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..runtime.errors import FootageError
from ..runtime.files import whole_or_nothing
from ..runtime.network import ColorOrder, NetworkGeometry
from .arrays import read_arrays
from .specs import LEAST_HELD_BACK, LEAST_SEEN


@dataclass(frozen=True, eq=False)
class CalibrationCrops:
    """T templates and N search regions, in the colour order `color`.

    template uint8 [T, H, W, 3], template_box float32 [T, 4] (x, y, w, h in 0..1 of the crop); search uint8
    [N, H, W, 3], target int64 [N], the template that each search region belongs to; held_back bool [N], those that
    calibration leaves for measuring what it did; sources: what they were cut from.
    """

    template: np.ndarray
    template_box: np.ndarray
    search: np.ndarray
    target: np.ndarray
    held_back: np.ndarray
    color: ColorOrder
    sources: tuple[str, ...]

    @property
    def seen(self) -> list[int]:
        """The rows that calibration takes ranges from."""
        return np.flatnonzero(~self.held_back).tolist()

    @property
    def unseen(self) -> list[int]:
        """The rows that it leaves."""
        return np.flatnonzero(self.held_back).tolist()

    @property
    def sha256(self) -> str:
        """One hash for everything but the sources' names."""
        digest = hashlib.sha256(str(self.color).encode())
        for name in _ARRAYS:
            array = getattr(self, name)
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


_ARRAYS = ("template", "template_box", "search", "target", "held_back")


def write_crops(path: Path, crops: CalibrationCrops) -> None:
    """Store as compressed .npz in one step. Raises OutputError."""
    arrays = {f.name: getattr(crops, f.name) for f in dataclasses.fields(crops) if f.name in _ARRAYS}
    buffer = io.BytesIO()
    names = np.array(crops.sources, dtype=np.str_)
    np.savez_compressed(buffer, allow_pickle=False, **arrays, color=np.str_(crops.color), sources=names)
    with whole_or_nothing(path) as partial:
        partial.write_bytes(buffer.getvalue())


def read_crops(path: Path, network: NetworkGeometry, color: ColorOrder) -> CalibrationCrops:
    """The crops of a file, which must be a network's. Raises FootageError saying what is wrong with it."""
    try:
        found = read_arrays(path, (*_ARRAYS, "color", "sources"))
        order, sources = ColorOrder(str(found.pop("color"))), tuple(map(str, found.pop("sources").ravel()))
    except FileNotFoundError:
        raise FootageError(f"{path} does not exist; make it with: ostrack-export calibrate") from None
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise FootageError(f"{path} holds no calibration crops ({error}); make it again") from None
    crops = CalibrationCrops(**found, color=order, sources=sources)
    problem = _misfit(crops, network)
    if problem:
        raise FootageError(f"{path} does not fit this network ({problem}); make crops with this bundle")
    if order is not color:
        raise FootageError(f"{path} holds {order} crops and the bundle takes {color}; make crops with this bundle")
    missing = shortage(crops.held_back.tolist())
    if missing:
        raise FootageError(f"{path} holds too few crops, {missing}; make it of more footage")
    return crops


def shortage(held_back: Sequence[bool]) -> str | None:
    """What is missing where there are too few crops to calibrate on, or to measure what that did; else None."""
    unseen = sum(held_back)
    seen = len(held_back) - unseen
    if seen >= LEAST_SEEN and unseen >= LEAST_HELD_BACK:
        return None
    return (
        f"{seen} to calibrate on and {unseen} held back, where {LEAST_SEEN} and {LEAST_HELD_BACK} are the least that "
        "say anything"
    )


def _misfit(crops: CalibrationCrops, network: NetworkGeometry) -> str | None:
    targets, count, t, s = len(crops.template), len(crops.search), network.template_size, network.search_size
    wanted: dict[str, tuple[tuple[int, ...], type]] = {
        "template": ((targets, t, t, 3), np.uint8),
        "template_box": ((targets, 4), np.float32),
        "search": ((count, s, s, 3), np.uint8),
        "target": ((count,), np.int64),
        "held_back": ((count,), np.bool_),
    }
    for name, (shape, dtype) in wanted.items():
        array = getattr(crops, name)
        if array.shape != shape or array.dtype != dtype:
            return f"{name} is {array.dtype} {list(array.shape)}"
    if not count or not targets:
        return "it holds no crops"
    if crops.target.min() < 0 or crops.target.max() >= targets:
        return "a search region belongs to no template"
    if not np.isfinite(crops.template_box).all():
        return "the box of a template is not finite"
    return None
