"""Does an engine that rounds otherwise than the reference still compute the same network?

FP32's bound (a fortieth of a pixel, every kept token) would refuse every engine that rounds, and none can be drawn
from the largest difference alone: where two candidates are nearly equal, rounding keeps the other one, and in that crop
the box at the cell that lost its token moves by most of a pixel, in FP16 as in INT8. So a crop more or less does not
decide; what most crops say does. A wrong engine (another layout, a stale buffer, an overflow, a lost scale) is wrong on
most.

Measured on the stored crops, FP16 and INT8 emulated on a CPU, for the default model and for a tiny untrained network;
the errors were planted in FP32 graphs of both. Figures: median box in pixels of the crop, worst score, kept in common:

                                              default model            tiny, untrained
    FP16                                      0.009  0.0002  0.999     0.001  0.0000  0.995
    INT8 Linears                              0.149  0.007   0.993     0.026  0.0003  0.992
    INT8 Linears, on a CPU                    0.152  0.009   0.994     0.046  0.0003  0.990
    INT8 attention                            0.504  0.021   0.981     0.199  0.0002  0.981
    one Linear of a block zero or doubled     0.44 and more            0.016 and more
    weights with a tenth of their spread of
    noise                                     2.9    0.046   0.922     0.440  0.018   0.841
    red and blue swapped                      3.0    0.092   0.914     0.419  0.016   0.857
    the template features of another target   0.6    0.052   0.949     0.004  0.008   0.898
    the search region of the call before      17.6   0.871   0.637     0.631  0.004   0.690
    template features all zero                17.0   0.851   0.620     0.481  0.000   0.836

OSTrack-256 with made-up weights: FP16 0.030, 0.0003, 0.999; INT8 Linears 2.6, 0.008, 0.976; INT8 attention 10.7, 0.089,
0.850. Made-up weights rank candidates that hardly differ, and in INT8 by chance: their bundles, which are there to be
timed, have bounds that only nonsense breaks.

FP16 is told apart from every planted error. INT8 is as far off as a Linear that is wrong in one block alone, so that
much is not seen in INT8; the other errors are. FP32 on a GPU has FP16's bounds, as its TF32 has FP16's mantissa.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..bundle import Bundle
from ..errors import BackendError
from ..manifest import Precision
from ..selftest import Reference, batches, read_reference
from .base import Backend


@dataclass(frozen=True)
class Rounding:
    """How far an engine is from the reference over `crops` crops.

    `median_box`, `worst_box`: the largest difference of a box's four figures at the reference's own cell, in pixels of
    the search crop; `score`: the worst difference there, in 0..1; `kept`: the share of the reference's kept tokens that
    the engine kept too, over all crops and stages.
    """

    crops: int
    median_box: float
    worst_box: float
    score: float
    kept: float


@dataclass(frozen=True)
class Bounds:
    """What a Rounding may be at most, `kept` at least."""

    median_box: float
    worst_box: float
    score: float
    kept: float


_HALF = Bounds(median_box=0.1, worst_box=4.0, score=0.02, kept=0.97)
_MADE_UP_INT8 = Bounds(median_box=16.0, worst_box=64.0, score=0.15, kept=0.7)
BOUNDS: Mapping[Precision, Bounds] = MappingProxyType(
    {
        Precision.FP32: _HALF,
        Precision.FP16: _HALF,
        Precision.INT8: Bounds(median_box=1.5, worst_box=8.0, score=0.1, kept=0.95),
    }
)
"""For a single crop a quarter of a token's side, and half of it in INT8: more than one swapped token moves a box."""


def measure_rounding(backend: Backend, reference: Reference) -> Rounding:
    """Ask for every crop's box at the reference's own cell, by a window that is zero everywhere else."""
    network = backend.network
    grid = network.search_grid
    boxes, scores, common, tokens = [], [], 0, 0
    for rows in batches(len(reference), backend.batch):
        features = backend.embed_template(reference.template[rows], reference.template_box[rows])
        for place, row in enumerate(rows):
            window = np.zeros(grid * grid, np.float32)
            window[reference.cell[row]] = 1
            found = backend.search(features, reference.search[rows], window.reshape(grid, grid))
            boxes.append(np.abs(found.box[place].astype(np.float64) - reference.box[row]).max())
            scores.append(abs(float(found.score[place]) - float(reference.score[row])))
            for kept, wanted in zip(found.kept, reference.kept, strict=True):
                common += len(set(kept[place].tolist()) & set(wanted[row].tolist()))
                tokens += wanted.shape[1]
    # A NaN must not pass as a small difference.
    pixels = np.where(np.isfinite(boxes), boxes, np.inf) * network.search_size
    score = float(np.where(np.isfinite(scores), scores, np.inf).max())
    return Rounding(
        len(boxes), float(np.median(pixels)), float(pixels.max()), score, common / tokens if tokens else 1.0
    )


def bounds_of(bundle: Bundle, precision: Precision) -> Bounds:
    """What an engine of the bundle has to keep to."""
    if precision is Precision.INT8 and not bundle.manifest.trained:
        return _MADE_UP_INT8
    return BOUNDS[precision]


def check_answers(backend: Backend, bundle: Bundle, precision: Precision) -> Rounding:
    """Raise BackendError where the engine does not give the bundle's stored answers within its precision's bounds."""
    found, bounds = measure_rounding(backend, read_reference(bundle)), bounds_of(bundle, precision)
    wrong = [
        f"{what} {value:.3g} (at most {limit:g})"
        for what, value, limit in (
            ("the box's median difference in pixels of the crop is", found.median_box, bounds.median_box),
            ("its largest is", found.worst_box, bounds.worst_box),
            ("the score differs by", found.score, bounds.score),
        )
        if not value <= limit
    ]
    if not found.kept >= bounds.kept:
        wrong.append(f"of the kept tokens {found.kept:.1%} are the same (at least {bounds.kept:.0%})")
    if wrong:
        raise BackendError(
            f"{backend.name} in {precision} computes something else than the network of {bundle.folder}, so it is not "
            f"used: on {found.crops} stored crops {'; '.join(wrong)}. Build its files again, or take another --backend "
            "or --precision"
        )
    return found
