"""What is asked of a process that measures one engine on a GPU, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...runtime.manifest import Precision, Recipe


class GpuEngine(str, Enum):
    """Who runs the network. `published`: the graph as released; the other rows of PyTorch run the exported modules."""

    PUBLISHED = "pytorch eager, published graph"
    EAGER = "pytorch eager"
    CAPTURED = "pytorch, cuda graph"
    ORT_CUDA = "onnxruntime-cuda"
    ORT_TENSORRT = "onnxruntime-tensorrt"
    TENSORRT = "tensorrt"
    RTX = "tensorrt-rtx"

    def __str__(self) -> str:
        return self.value

    @property
    def is_torch(self) -> bool:
        return self in (GpuEngine.PUBLISHED, GpuEngine.EAGER, GpuEngine.CAPTURED)


@dataclass(frozen=True)
class GpuRow:
    """One engine, precision and batch; `recipe` of an INT8 row."""

    engine: GpuEngine
    precision: Precision
    recipe: Recipe
    batch: int

    @property
    def name(self) -> str:
        recipe = "" if self.recipe is Recipe.PLAIN else f" ({self.recipe})"
        return f"{self.engine} {self.precision}{recipe}, batch {self.batch}"


@dataclass(frozen=True)
class Footage:
    """The frames of a Clip (see `fps.protocol`): raw uint8 [height, width, 3], BGR, and one box per frame."""

    path: str
    width: int
    height: int
    count: int
    boxes: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class MeasureGpu:
    """Load the engine, hold it against the stored answers, and time `frames` frames after `warmup` ones."""

    row: GpuRow
    bundle: str
    checkpoint: str | None
    footage: Footage
    warmup: int
    frames: int


@dataclass(frozen=True)
class Against:
    """Largest and median differences to the bundle's stored FP32 answers (see `runtime.backends.check`)."""

    median_box_px: float
    worst_box_px: float
    score: float
    kept: float


@dataclass(frozen=True)
class GpuTimes:
    """Per frame, milliseconds: `whole_ms` from the frame to all boxes of a batch, and its parts by name. `boxes` and
    `scores` of the first frame of the footage on, one per target: x, y, w, h in pixels of the frame. `against` is None
    where the weights were made up."""

    engine: dict[str, str]
    load_ms: float
    first_box_ms: float
    whole_ms: tuple[float, ...]
    stages_ms: dict[str, tuple[float, ...]]
    peak_bytes: int
    boxes: tuple[tuple[float, ...], ...]
    scores: tuple[float, ...]
    against: Against | None
