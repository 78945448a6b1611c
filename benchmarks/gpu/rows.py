"""Which rows there are, and why one cannot be measured before anything is started for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...runtime.bundle import Bundle
from ...runtime.cuda import find_gpu
from ...runtime.errors import BackendError, MissingExtraError
from ...runtime.extras import installed
from ...runtime.manifest import Precision, Recipe
from .protocol import GpuEngine, GpuRow

_FLOATS = ((Precision.FP32, Recipe.PLAIN), (Precision.FP16, Recipe.PLAIN))
_INT8 = ((Precision.INT8, Recipe.LINEARS), (Precision.INT8, Recipe.ATTENTION))

FORMS: Mapping[GpuEngine, tuple[tuple[Precision, Recipe], ...]] = {
    GpuEngine.PUBLISHED: _FLOATS,
    GpuEngine.EAGER: _FLOATS,
    GpuEngine.CAPTURED: _FLOATS,
    GpuEngine.ORT_CUDA: _FLOATS,
    GpuEngine.ORT_TENSORRT: (*_FLOATS, *_INT8),
    GpuEngine.TENSORRT: (*_FLOATS, *_INT8),
    GpuEngine.RTX: (*_FLOATS, *_INT8),
}
"""What each engine runs; the first row of a batch is the one in FP32 that the others are held against."""


def all_rows(batches: Sequence[int]) -> list[GpuRow]:
    return [GpuRow(engine, *form, batch) for batch in batches for engine, forms in FORMS.items() for form in forms]


class Obstacles:
    """What is known to stand in a row's way on this machine, asked once."""

    def __init__(self, bundle: Bundle) -> None:
        from ...runtime.backends.select import available

        self._bundle = bundle
        self._choices = {choice.name: choice for choice in available(bundle)}
        self._no_gpu: str | None = None
        try:
            self.gpu = find_gpu()
        except BackendError as error:
            self.gpu, self._no_gpu = None, str(error)

    def of(self, row: GpuRow) -> str | None:
        """The sentence, None where the row may be tried."""
        if row.engine.is_torch:
            if not installed("torch"):
                return str(MissingExtraError("torch", "the PyTorch rows", "export"))
            return self._no_gpu
        choice = self._choices[str(row.engine)]
        if not choice.usable:
            return choice.reason
        manifest = self._bundle.manifest
        if row.recipe not in manifest.recipes(row.precision):
            recipe = "" if row.recipe is Recipe.PLAIN else f" ({row.recipe})"
            return (
                f"the bundle has no graphs in {row.precision}{recipe}; build them with: "
                f"ostrack-export build --precision {row.precision}"
            )
        if manifest.batch not in (None, row.batch):
            return (
                f"the bundle's graphs take a batch of {manifest.batch}; build one for every batch with: "
                "ostrack-export build --batch any"
            )
        return None
