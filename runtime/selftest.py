"""Does this engine, on this machine, give what the PyTorch network gave when the bundle was built?

A bundle carries a few crops with the reference's answers. An engine is asked for the box at the reference's own best
cell, by a window that is zero everywhere else: two nearly equal peaks then cannot hide, or feign, a difference.
"""

from __future__ import annotations

import dataclasses
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..models import remedy
from .bundle import Bundle
from .errors import BundleError, VerificationError
from .files import whole_or_nothing
from .geometry import hann_window
from .network import NetworkGeometry

if TYPE_CHECKING:
    # The engines ask for the reference when they are loaded.
    from .backends.base import Backend

BOX_TOLERANCE = 1e-4
"""In 0..1 of the crop: a fortieth of a pixel of a search region of 256."""


@dataclass(frozen=True)
class Reference:
    """N crops and the reference's answers, in the bundle's colour order.

    template uint8 [N, H, W, 3], template_box float32 [N, 4], search uint8 [N, H, W, 3]; score_map float32 [N, 1, F, F],
    size_map and offset_map float32 [N, 2, F, F]; cell int64 [N], the best cell under the Hann window; box float32
    [N, 4] and score float32 [N] there; kept: int32 [N, n] per stage.
    """

    template: np.ndarray
    template_box: np.ndarray
    search: np.ndarray
    score_map: np.ndarray
    size_map: np.ndarray
    offset_map: np.ndarray
    cell: np.ndarray
    box: np.ndarray
    score: np.ndarray
    kept: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.search)


@dataclass(frozen=True)
class Agreement:
    """Largest differences to the reference over `crops` crops: `box` in 0..1 of the crop, `score` in 0..1."""

    crops: int
    box: float
    score: float
    kept_sets_equal: int
    same_cell: int


def compare(backend: Backend, reference: Reference) -> Agreement:
    """Run every crop of the reference through an engine."""
    window = hann_window(backend.network.search_grid)
    box = score = 0.0
    kept_equal = same_cell = 0
    for rows in batches(len(reference), backend.batch):
        features = backend.embed_template(reference.template[rows], reference.template_box[rows])
        for place, row in enumerate(rows):
            probe = np.zeros(window.size, np.float32)
            probe[reference.cell[row]] = 1
            found = backend.search(features, reference.search[rows], probe.reshape(window.shape))
            box = max(box, _difference(found.box[place], reference.box[row]))
            score = max(score, _difference(found.score[place], reference.score[row]))
            kept_equal += same_sets([k[place] for k in found.kept], [k[row] for k in reference.kept])
            free = backend.search(features, reference.search[rows], window)
            same_cell += _cell(free.box[place], reference, row) == int(reference.cell[row])
    repeats = sum(len(rows) for rows in batches(len(reference), backend.batch))
    return Agreement(repeats, box, score, kept_equal, same_cell)


def batches(count: int, batch: int | None) -> list[list[int]]:
    """Rows 0..count-1 in groups of `batch`; the last group repeats the first rows.

    Where any batch is taken, the first two rows go alone and the others three at a time: the graph has both ways.
    """
    if batch is None:
        singles = [[i] for i in range(min(2, count))]
        return singles + [[2 + j for j in rows] for rows in (batches(count - 2, 3) if count > 2 else [])]
    return [[i % count for i in range(first, first + batch)] for first in range(0, count, batch)]


def same_sets(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Whether the kept tokens of every stage are the same sets; their order means nothing."""
    return len(one) == len(other) and all(set(a.tolist()) == set(b.tolist()) for a, b in zip(one, other, strict=True))


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    # A NaN must not pass as a small difference.
    difference = np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).max()
    return float(difference) if np.isfinite(difference) else float("inf")


def _cell(box: np.ndarray, reference: Reference, row: int) -> int:
    """The cell whose box, in the reference's maps, is nearest to `box`."""
    grid = reference.score_map.shape[-1]
    y, x = np.mgrid[0:grid, 0:grid]
    centre = (np.stack([x, y]) + reference.offset_map[row]) / grid
    boxes = np.concatenate([centre, reference.size_map[row]]).reshape(4, -1)
    return int(np.abs(boxes - np.asarray(box)[:, None]).max(0).argmin())


def write_reference(path: Path, reference: Reference) -> None:
    """Store as compressed .npz in one step. Raises OutputError."""
    arrays = {f.name: getattr(reference, f.name) for f in dataclasses.fields(reference) if f.name != "kept"}
    arrays.update({f"kept_{i}": stage for i, stage in enumerate(reference.kept)})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    with whole_or_nothing(path) as partial:
        partial.write_bytes(buffer.getvalue())


def read_reference(bundle: Bundle) -> Reference:
    """The reference of a bundle. Raises BundleError where it does not fit the manifest."""
    path = bundle.path(bundle.manifest.reference)
    advice = remedy(path, "build the bundle again")
    names = [f.name for f in dataclasses.fields(Reference) if f.name != "kept"]
    stages = [f"kept_{i}" for i in range(len(bundle.manifest.network.kept_counts))]
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in (*names, *stages)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is damaged ({error}); {advice}") from None
    reference = Reference(**{n: found[n] for n in names}, kept=tuple(found[s] for s in stages))
    problem = _misfit(reference, bundle.manifest.network)
    if problem:
        raise BundleError(f"{path} does not fit its bundle ({problem}); {advice}")
    return reference


def _misfit(reference: Reference, network: NetworkGeometry) -> str | None:
    """What of a reference is not as `Reference` says for this network, None where all is."""
    count, grid = reference.cell.size, network.search_grid
    if count < 1:
        return "it holds no crops"
    t, s, f = network.template_size, network.search_size, np.float32
    wanted: dict[str, tuple[tuple[int, ...], type]] = {
        "template": ((t, t, 3), np.uint8),
        "template_box": ((4,), f),
        "search": ((s, s, 3), np.uint8),
        "score_map": ((1, grid, grid), f),
        "size_map": ((2, grid, grid), f),
        "offset_map": ((2, grid, grid), f),
        "cell": ((), np.int64),
        "box": ((4,), f),
        "score": ((), f),
    }
    for name, (shape, dtype) in wanted.items():
        array = getattr(reference, name)
        if array.shape != (count, *shape) or array.dtype != dtype:
            return f"{name} is {array.dtype} {list(array.shape)}"
    for i, (kept, tokens) in enumerate(zip(reference.kept, network.kept_counts, strict=True)):
        if kept.shape != (count, tokens) or kept.dtype != np.int32:
            return f"kept_{i} is {kept.dtype} {list(kept.shape)}"
    if reference.cell.min() < 0 or reference.cell.max() >= grid * grid:
        return "a cell lies outside the score map"
    return None


def check_agreement(agreement: Agreement) -> None:
    """Raise VerificationError where an FP32 engine does not give the reference's boxes and kept tokens."""
    wrong = []
    if not agreement.box <= BOX_TOLERANCE:
        wrong.append(f"the box differs by {agreement.box:.3g} (at most {BOX_TOLERANCE:g})")
    if not agreement.score <= BOX_TOLERANCE:
        wrong.append(f"the score differs by {agreement.score:.3g} (at most {BOX_TOLERANCE:g})")
    if agreement.kept_sets_equal != agreement.crops:
        wrong.append(f"the kept tokens are the same sets on {agreement.kept_sets_equal} of {agreement.crops} crops")
    if wrong:
        raise VerificationError("this engine does not give what PyTorch gave: " + "; ".join(wrong))
