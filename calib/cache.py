"""Ranges that were measured before: by graph, crops, method and tensors, in the user's cache folder."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto

from ..runtime.errors import OutputError
from ..runtime.files import whole_or_nothing
from .arrays import read_arrays
from .clipping import RangeMethod
from .ranges import TensorRange

_LAYOUT = "2"
"""Raised when ranges come out otherwise, so that old files are not taken."""


def cached_ranges(
    models: Sequence[ModelProto],
    crops_sha256: str,
    method: RangeMethod,
    tensors: Sequence[str],
    measure: Callable[[], dict[str, TensorRange]],
) -> dict[str, TensorRange]:
    """What `measure` gives, from the cache where it was asked before. A damaged file there is measured again."""
    if not tensors:
        return {}
    key = hashlib.sha256()
    for model in models:
        key.update(model.SerializeToString(deterministic=True))
    key.update("\n".join([_LAYOUT, crops_sha256, str(method), *tensors]).encode())
    path = cache_folder() / "ranges" / f"{key.hexdigest()}.npz"
    found = _read(path, tensors)
    if found is None:
        found = measure()
        _write(path, found)
    return found


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/ostrack-edge`, by default in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ostrack-edge"


def _read(path: Path, tensors: Sequence[str]) -> dict[str, TensorRange] | None:
    try:
        arrays = read_arrays(path, ("spans", *(f"channels_{i}" for i in range(len(tensors)))))
    except (OSError, ValueError):
        return None
    spans, *channels = arrays.values()
    if spans.shape != (len(tensors), 2) or not np.isfinite(spans).all():
        return None
    return {
        name: TensorRange(float(low), float(high), channel)
        for name, (low, high), channel in zip(tensors, spans, channels, strict=True)
    }


def _write(path: Path, ranges: dict[str, TensorRange]) -> None:
    """Store; a cache that cannot be written is none, and costs time alone."""
    buffer = io.BytesIO()
    spans = np.array([[r.low, r.high] for r in ranges.values()], np.float64)
    channels = {f"channels_{i}": r.channel_max for i, r in enumerate(ranges.values())}
    np.savez_compressed(buffer, allow_pickle=False, spans=spans, **channels)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as partial:
            partial.write_bytes(buffer.getvalue())
    except (OSError, OutputError):
        return
