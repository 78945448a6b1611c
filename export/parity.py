"""How far a bundle's graphs are from the PyTorch network's answers. Needs onnx and ONNX Runtime, not torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from ..runtime.backends import load_backend
from ..runtime.bundle import Bundle
from ..runtime.errors import ExportError, MissingExtraError, VerificationError
from ..runtime.geometry import hann_window
from ..runtime.manifest import GraphRole, Parity, Precision
from ..runtime.selftest import BOX_TOLERANCE, Reference, batches, compare
from .passes import MAP_NAMES, expose_maps

MAP_TOLERANCE = 1e-4


def measure_parity(bundle: Bundle, reference: Reference, precision: Precision = Precision.FP32) -> Parity:
    """Differences between a reference and the bundle's graphs as ONNX Runtime runs them on this machine.

    The maps are read from the files that ship, with the three values that hold them made outputs in memory.
    """
    agreement = compare(load_backend(bundle, "onnxruntime", precision=precision, selftest=False), reference)
    maps = _map_differences(bundle, reference, precision)
    return Parity(
        precision=precision,
        crops=agreement.crops,
        score_map=maps["score_map"],
        size_map=maps["size_map"],
        offset_map=maps["offset_map"],
        box=agreement.box,
        kept_sets_equal=agreement.kept_sets_equal,
        same_cell=agreement.same_cell,
    )


def check_parity(parity: Parity) -> None:
    """Raise VerificationError saying every figure that is outside the tolerance."""
    wrong = [
        f"{name} differs by {value:.3g} (at most {limit:g})"
        for name, value, limit in (
            ("score_map", parity.score_map, MAP_TOLERANCE),
            ("size_map", parity.size_map, MAP_TOLERANCE),
            ("offset_map", parity.offset_map, MAP_TOLERANCE),
            ("box", parity.box, BOX_TOLERANCE),
        )
        if not value <= limit
    ]
    if parity.kept_sets_equal != parity.crops:
        wrong.append(f"the kept tokens are the same sets on {parity.kept_sets_equal} of {parity.crops} crops")
    if wrong:
        raise VerificationError(
            f"the exported {parity.precision} graphs do not give what PyTorch gives: " + "; ".join(wrong)
        )


def _map_differences(bundle: Bundle, reference: Reference, precision: Precision) -> dict[str, float]:
    session = _session_with_maps(bundle.path(bundle.manifest.graph(GraphRole.SEARCH, precision)))
    backend = load_backend(bundle, "onnxruntime", precision=precision, selftest=False)
    window = hann_window(bundle.manifest.network.search_grid)
    worst: dict[str, float] = dict.fromkeys(MAP_NAMES, 0.0)
    for rows in batches(len(reference), bundle.manifest.batch):
        features = backend.embed_template(reference.template[rows], reference.template_box[rows])
        assert isinstance(features, dict)
        found = session.run(list(MAP_NAMES), {**features, "search": reference.search[rows], "window": window})
        for name, value in zip(MAP_NAMES, found, strict=True):
            difference = float(np.abs(value - getattr(reference, name)[rows]).max())
            worst[name] = max(worst[name], difference if np.isfinite(difference) else float("inf"))
    return worst


def _session_with_maps(path: Path):
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("onnxruntime", "verification", "export") from None
    model = expose_maps(onnx.load(path))
    shown = {o.name for o in model.graph.output}
    missing = [name for name in MAP_NAMES if name not in shown]
    if missing:
        raise ExportError(f"{path} holds no {', '.join(missing)}; build the bundle again")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
