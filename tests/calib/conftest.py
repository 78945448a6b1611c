"""Made footage of a white square, an engine that finds white, and crops from nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
from ostrack_edge.calib.crops import CalibrationCrops
from ostrack_edge.datasets.sequence import Frames, Sequence
from ostrack_edge.runtime.backends.base import SearchResult, TargetFeatures
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry
from ostrack_edge.runtime.opencv import cv2

WIDTH, HEIGHT, SIDE = 240, 180, 24


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


class SquareFrames(Frames):
    """A white square that drifts over a ground that pans; `still`: the first frame over and over."""

    def __init__(self, count: int, seed: int, still: bool) -> None:
        self._count, self._still = count, still
        coarse = np.random.default_rng(seed).integers(0, 180, (12, 24, 3), np.uint8)
        self._ground = cv2.resize(coarse, (4 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 180)

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> tuple[int, int]:
        return WIDTH, HEIGHT

    def box(self, index: int) -> tuple[float, float, float, float]:
        n = 0 if self._still else index
        return 100 + 30 * np.sin(n / 40), 75 + 20 * np.cos(n / 30), SIDE, SIDE

    def _read(self, index: int) -> np.ndarray:
        n = 0 if self._still else index
        x, y = 7 * n % (3 * WIDTH), 3 * n % HEIGHT
        frame = self._ground[y : y + HEIGHT, x : x + WIDTH].copy()
        left, top = (round(v) for v in self.box(index)[:2])
        frame[top : top + SIDE, left : left + SIDE] = 255
        return frame


class WhiteFinder:
    """An engine of whichever network that answers with the extent of what is white in the search region; `astray`: with
    the crop's corner instead."""

    name = "white finder"
    timings_ms: Mapping[str, float] = {}

    def __init__(
        self, network: NetworkGeometry, color: ColorOrder = ColorOrder.BGR, batch: int | None = 1, astray: bool = False
    ) -> None:
        self.network, self.color, self.batch, self.astray = network, color, batch, astray
        self.searched = 0

    def describe(self) -> Mapping[str, str]:
        return {}

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        assert self.batch in (None, len(template), len(template_box))
        return template

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        assert self.batch in (None, len(search))
        self.searched += 1
        boxes = np.array([self._find(crop) for crop in search], np.float32)
        return SearchResult(boxes, np.ones(len(search), np.float32), ())

    def _find(self, crop: np.ndarray) -> tuple[float, float, float, float]:
        if self.astray:
            return 0.02, 0.02, 0.05, 0.05
        rows, columns = np.nonzero((crop > 230).all(2))
        if not len(rows):
            return 0.5, 0.5, 1 / self.network.search_factor, 1 / self.network.search_factor
        x, y, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        return tuple(v / len(crop) for v in ((x + right) / 2, (y + bottom) / 2, right - x, bottom - y))


@pytest.fixture
def engine(tiny_geometry: NetworkGeometry) -> Callable[..., WhiteFinder]:
    def make(**options: object) -> WhiteFinder:
        return WhiteFinder(tiny_geometry, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def footage() -> Callable[..., Sequence]:
    """Makes a sequence of `count` frames; `known` False: all but its first box is unknown; `absent`: frames
    without a visible target."""

    def make(
        name: str = "square", count: int = 40, *, still: bool = False, known: bool = True, absent: tuple[int, ...] = ()
    ) -> Sequence:
        frames = SquareFrames(count, sum(map(ord, name)), still)
        boxes = np.array([frames.box(i) for i in range(count if known else 1)], np.float64)
        flags = np.isin(np.arange(len(boxes)), absent)
        return Sequence(name, "made", None, frames, boxes, flags)

    return make


@pytest.fixture
def made_crops(tiny_geometry: NetworkGeometry) -> Callable[..., CalibrationCrops]:
    """Crops of noise for the tiny network, three templates, the last ones held back."""

    def make(seen: int = 16, unseen: int = 4, color: ColorOrder = ColorOrder.BGR) -> CalibrationCrops:
        random, count = np.random.default_rng(1), seen + unseen
        t, s = tiny_geometry.template_size, tiny_geometry.search_size
        return CalibrationCrops(
            random.integers(0, 256, (3, t, t, 3), np.uint8),
            np.tile(np.array([0.25, 0.25, 0.5, 0.5], np.float32), (3, 1)),
            random.integers(0, 256, (count, s, s, 3), np.uint8),
            np.arange(count) * 3 // count,
            np.arange(count) >= seen,
            color,
            ("one", "zwei ß"),
        )

    return make
