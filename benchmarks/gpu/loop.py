"""Several targets in one frame, through one call of the engine: what a batch is for."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from ...runtime.backends import Backend
from ...runtime.crop import Cropper
from ...runtime.geometry import Box, clip_box, crop_window, hann_window, map_box_back, template_box
from ...runtime.network import ColorOrder

_SHIFT = 0.15
"""Of the box's size: how far the further targets lie from the first, so that no two crops are the same."""


class BatchLoop:
    """Follows `batch` targets with frames in BGR. The boxes that it searches around are given, not found: every engine
    then sees the same crops."""

    def __init__(self, backend: Backend, batch: int) -> None:
        network = backend.network
        swap = backend.color is not ColorOrder.BGR
        self._backend, self._batch, self._network = backend, batch, network
        self._template_cropper = Cropper(network.template_size, swap)
        self._search_cropper = Cropper(network.search_size, swap)
        self._window = hann_window(network.search_grid)
        size = network.search_size
        self._crops = np.empty((batch, size, size, 3), np.uint8)
        self.stages_ms: dict[str, float] = {}

    def start(self, frame: np.ndarray, box: Box) -> None:
        """Take the targets around `box`: frame uint8 [H, W, 3]."""
        size, crops, places = self._network.template_size, [], []
        for target in self.targets(box):
            window = crop_window(target, self._network.template_factor)
            crops.append(self._template_cropper.cut(frame, window).copy())
            places.append(template_box(target, size / window.side, size))
        self._features = self._backend.embed_template(np.stack(crops), np.stack(places))

    def update(self, frame: np.ndarray, box: Box) -> tuple[list[Box], list[float]]:
        """Find every target around its place by `box`: boxes in pixels of the frame, and scores."""
        begun = perf_counter()
        targets, size, windows = self.targets(box), self._network.search_size, []
        for crop, target in zip(self._crops, targets, strict=True):
            windows.append(window := crop_window(target, self._network.search_factor))
            crop[...] = self._search_cropper.cut(frame, window)
        cropped = perf_counter()
        found = self._backend.search(self._features, self._crops, self._window)
        answered = perf_counter()
        boxes = [
            clip_box(map_box_back(row.tolist(), target, size / window.side, size), frame.shape[0], frame.shape[1])
            for row, target, window in zip(found.box, targets, windows, strict=True)
        ]
        scores = [float(score) for score in found.score]
        self.stages_ms = {**self._backend.timings_ms, "crop": (cropped - begun) * 1e3}
        self.stages_ms["decode"] = self.stages_ms.get("decode", 0.0) + (perf_counter() - answered) * 1e3
        return boxes, scores

    def targets(self, box: Box) -> list[Box]:
        """The first lies at `box`, the others in a ring around it."""
        angles = [2 * np.pi * i / max(1, self._batch - 1) for i in range(self._batch - 1)]
        moved = [
            Box(
                box.x + float(np.cos(a)) * _SHIFT * box.width,
                box.y + float(np.sin(a)) * _SHIFT * box.height,
                box.width,
                box.height,
            )
            for a in angles
        ]
        return [box, *moved]
