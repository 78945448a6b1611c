"""The network's part of several targets: templates embedded together, searches in one call where the graphs allow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ...runtime.backends import Backend, TargetFeatures
from ...runtime.crop import Cropper
from ...runtime.geometry import Box, crop_window, hann_window, template_box
from ...runtime.network import ColorOrder
from .plan import Search
from .target import Patch

_KEPT_FEATURES = 16
"""Sets of targets whose embedded templates stay: those that come and go as targets are lost and found."""


@dataclass(frozen=True, eq=False)
class Found:
    """What the network says of one search, in arrays of their own.

    box: pixels of the frame; score: 0..1; crop: uint8 [S, S, 3], BGR; kept: int32 [n] per elimination stage.
    """

    box: Box
    score: float
    crop: np.ndarray
    kept: tuple[np.ndarray, ...]


class TargetGroup:
    """Searches for targets with one engine. Frames are BGR. It serves one thread, as its engine does.

    With one target that is followed from frame to frame it gives what `Tracker` gives, to the last bit.
    """

    def __init__(self, backend: Backend) -> None:
        network = backend.network
        self.backend = backend
        self._swap = backend.color is not ColorOrder.BGR
        self._template_cropper = Cropper(network.template_size, self._swap)
        self._search_cropper = Cropper(network.search_size, self._swap)
        self._hann = hann_window(network.search_grid)
        self._flat = np.ones_like(self._hann)
        self._templates: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._features: OrderedDict[tuple[int, ...], TargetFeatures] = OrderedDict()
        self.timings_ms: dict[str, float] = {}
        """Milliseconds of the last `search` by stage, summed over its calls: crop, copy, inference, decode."""

    @property
    def search_factor(self) -> float:
        return self.backend.network.search_factor

    def add(self, number: int, patch: Patch) -> None:
        """Take a target's template, and embed it, so that a box that cannot be used is refused now: InputError."""
        network = self.backend.network
        window = crop_window(patch.box, network.template_factor)
        crop = self._template_cropper.cut(patch.image, window).copy()
        place = template_box(patch.box, network.template_size / window.side, network.template_size)
        self._templates[number] = (crop, place)
        try:
            self._embedded((number,) * (self.backend.batch or 1))
        except BaseException:  # whatever ended it, no half-added target stays; raised again
            self.remove(number)
            raise

    def remove(self, number: int) -> None:
        self._templates.pop(number, None)
        for key in [key for key in self._features if number in key]:
            del self._features[key]

    def template(self, number: int) -> np.ndarray:
        """The template crop of a target: uint8 [T, T, 3], BGR."""
        crop = self._templates[number][0]
        return crop[:, :, ::-1] if self._swap else crop

    def search(self, frame: np.ndarray, searches: dict[int, Search]) -> dict[int, Found]:
        """Make every search, by the targets' numbers, in `frame`: uint8 [H, W, 3], BGR."""
        self.timings_ms = {"crop": 0.0, "copy": 0.0, "inference": 0.0, "decode": 0.0}
        found: dict[int, Found] = {}
        for hann in (True, False):
            numbers = [number for number, search in searches.items() if search.hann is hann]
            for some in self._calls(numbers):
                found.update(self._call(frame, some, searches, self._hann if hann else self._flat))
        return found

    def _calls(self, numbers: list[int]) -> Iterator[Sequence[int]]:
        size = self.backend.batch or max(1, len(numbers))
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size]

    def _call(
        self, frame: np.ndarray, numbers: Sequence[int], searches: dict[int, Search], window: np.ndarray
    ) -> Iterator[tuple[int, Found]]:
        start = perf_counter()
        crops = [self._search_cropper.cut(frame, searches[number].window).copy() for number in numbers]
        # Graphs of a fixed batch take as many as they take: the last one stands in for those that are not there.
        missing = (self.backend.batch or len(numbers)) - len(numbers)
        key = (*numbers, *[numbers[-1]] * missing)
        batch = crops[0][None] if len(key) == 1 else np.stack(crops + crops[-1:] * missing)
        features = self._embedded(key)
        cropped = perf_counter()
        result = self.backend.search(features, batch, window)
        answered = perf_counter()
        size, frame_size = self.backend.network.search_size, (frame.shape[1], frame.shape[0])
        found = []
        for i, (number, crop) in enumerate(zip(numbers, crops, strict=True)):
            box = searches[number].box_in_frame(result.box[i].tolist(), size, frame_size)
            kept = tuple(k[i].copy() for k in result.kept)
            seen = crop[:, :, ::-1] if self._swap else crop
            found.append((number, Found(box, float(result.score[i]), seen, kept)))
        times = {**self.backend.timings_ms, "crop": (cropped - start) * 1e3}
        times["decode"] = times.get("decode", 0.0) + (perf_counter() - answered) * 1e3
        for name, value in times.items():
            self.timings_ms[name] = self.timings_ms.get(name, 0.0) + value
        return iter(found)

    def _embedded(self, key: tuple[int, ...]) -> TargetFeatures:
        if key not in self._features:
            crops, places = zip(*(self._templates[number] for number in key), strict=True)
            self._features[key] = self.backend.embed_template(np.stack(crops), np.stack(places))
            while len(self._features) > _KEPT_FEATURES:
                self._features.popitem(last=False)
        self._features.move_to_end(key)
        return self._features[key]
