"""The published tracking loop, over any engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from .backends import Backend, TargetFeatures, load_backend
from .bundle import Bundle
from .crop import Cropper
from .errors import InputError, TrackerStateError
from .geometry import Box, check_box, clip_box, crop_window, hann_window, map_box_back, template_box
from .image import check_frame
from .manifest import Precision
from .network import ColorOrder


class TrackResult(NamedTuple):
    """box: pixels of the frame; score: the score map at the chosen cell before the window, 0..1; kept: int32 [n] per
    elimination stage, the search tokens (row-major) that stayed."""

    box: Box
    score: float
    kept: tuple[np.ndarray, ...]

    def __repr__(self) -> str:
        # Without `kept`: hundreds of numbers in which box and score would be lost.
        return f"TrackResult(box={self.box!r}, score={self.score!r})"


class Tracker:
    """Follows one target: `init` with a frame and a box, then `update` with every further frame.

    This is the published loop and nothing more: it never declares a target lost and never searches wider. A tracker and
    its engine serve one thread at a time; for several threads load one for each.

    color: colour order of the frames (grey and alpha are recognised by their channels).
    """

    def __init__(self, backend: Backend, color: str | ColorOrder = ColorOrder.BGR) -> None:
        try:
            color = ColorOrder(color)
        except ValueError:
            raise InputError(f"color is {color!r}; give 'bgr' or 'rgb'") from None
        if backend.batch not in (None, 1):
            raise InputError(
                f"the bundle's graphs take exactly {backend.batch} targets at a time and a Tracker follows one; "
                "build a bundle with --batch 1 or --batch any"
            )
        network = backend.network
        swap = color is not backend.color
        self.backend = backend
        self._network = network
        self._template_cropper = Cropper(network.template_size, swap)
        self._search_cropper = Cropper(network.search_size, swap)
        self._window = hann_window(network.search_grid)
        self._features: TargetFeatures | None = None
        self._box: Box | None = None
        self._timings: dict[str, float] = {}

    @classmethod
    def load(
        cls,
        bundle: str | Path | Bundle | None = None,
        backend: str = "auto",
        color: str | ColorOrder = ColorOrder.BGR,
        precision: str | Precision | None = None,
        threads: int | None = None,
    ) -> Tracker:
        """A tracker for a bundle (folder or opened); None takes the default model's.

        Raises BundleError, BackendError, MissingExtraError.
        """
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int)):
            raise InputError(f"threads is {threads!r}; give a whole number")
        if bundle is None:
            # Here, as a bundle of one's own needs no default model.
            from ..models import default_bundle

            bundle = default_bundle()
        if not isinstance(bundle, Bundle):
            bundle = Bundle.open(bundle)
        if precision is not None:
            try:
                precision = Precision(precision)
            except ValueError:
                raise InputError(f"precision is {precision!r}; give one of {', '.join(map(str, Precision))}") from None
        return cls(load_backend(bundle, backend, precision=precision, threads=threads), color)

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        """Take the target: frame uint8 [H, W] or [H, W, 1|3|4]; box x, y, width, height in pixels of the frame.

        Raises InputError for a frame or box that cannot be used; the target followed before then stays.
        """
        frame = check_frame(frame)
        box = check_box(box, "the target's box")
        self._check_inside(frame, box)
        window = crop_window(box, self._network.template_factor)
        crop = self._template_cropper.cut(frame, window)
        size = self._network.template_size
        self._features = self.backend.embed_template(crop[None], template_box(box, size / window.side, size)[None])
        self._box = box

    def update(self, frame: np.ndarray) -> TrackResult:
        """Find the target in the next frame: uint8 [H, W] or [H, W, 1|3|4].

        Raises TrackerStateError before `init`, InputError for a frame that cannot be used.
        """
        if self._features is None or self._box is None:
            raise TrackerStateError("the tracker has no target yet; call init(frame, box) first")
        frame = check_frame(frame)
        self._check_inside(frame, self._box)
        start = perf_counter()
        size = self._network.search_size
        window = crop_window(self._box, self._network.search_factor)
        crop = self._search_cropper.cut(frame, window)
        cropped = perf_counter()
        found = self.backend.search(self._features, crop[None], self._window)
        answered = perf_counter()
        box = map_box_back(found.box[0].tolist(), self._box, size / window.side, size)
        self._box = clip_box(box, frame.shape[0], frame.shape[1])
        result = TrackResult(self._box, float(found.score[0]), tuple(k[0].copy() for k in found.kept))
        self._timings = {**self.backend.timings_ms, "crop": (cropped - start) * 1e3}
        self._timings["decode"] = self._timings.get("decode", 0.0) + (perf_counter() - answered) * 1e3
        return result

    @property
    def box(self) -> Box:
        """The target's box, pixels of the frame; setting it moves the next search. TrackerStateError before `init`."""
        if self._box is None:
            raise TrackerStateError("the tracker has no target yet; call init(frame, box) first")
        return self._box

    @box.setter
    def box(self, box: Sequence[float]) -> None:
        if self._box is None:
            raise TrackerStateError("the tracker has no target yet; call init(frame, box) first")
        self._box = check_box(box)

    @property
    def timings_ms(self) -> Mapping[str, float]:
        """Milliseconds of the last update by stage: crop, copy, inference, decode."""
        return self._timings

    @staticmethod
    def _check_inside(frame: np.ndarray, box: Box) -> None:
        height, width = frame.shape[:2]
        if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
            raise InputError(
                f"the box {box.x:g},{box.y:g},{box.width:g},{box.height:g} lies outside the frame of "
                f"{width} x {height} pixels"
            )
