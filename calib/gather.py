"""From footage, as a command line names it, to crops for one bundle."""

from __future__ import annotations

from collections.abc import Sequence as Several

from ..runtime.backends import load_backend
from ..runtime.bundle import Bundle
from ..runtime.manifest import Precision
from .collect import Collected, Progress, collect_crops
from .crops import CalibrationCrops
from .sources import open_sources
from .specs import LIMIT


def crops_from_footage(
    bundle: Bundle,
    specs: Several[str],
    *,
    limit: int = LIMIT,
    seed: int = 0,
    progress: Progress = lambda done, count: None,
) -> tuple[CalibrationCrops, list[Collected]]:
    """What the bundle's FP32 tracker cuts from the footage, and what each sequence gave. Raises FootageError,
    InputError, BackendError."""
    sequences = open_sources(specs)
    backend = load_backend(bundle, "onnxruntime", precision=Precision.FP32)
    return collect_crops(backend, sequences, limit=limit, seed=seed, progress=progress)
