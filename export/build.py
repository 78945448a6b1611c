"""From a PyTorch network to a verified bundle."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from ..runtime.bundle import Bundle, file_sha256
from ..runtime.errors import InputError
from ..runtime.manifest import (
    SCHEMA,
    Manifest,
    Parity,
    Precision,
    ReferenceFile,
)
from ..runtime.network import ColorOrder
from ..runtime.selftest import write_reference
from .answers import make_reference
from .model import OSTrack
from .parity import check_parity, measure_parity
from .precision.add import PrecisionFiles, add_precisions
from .precision.agree import Pair
from .precision.plan import PrecisionPlan
from .promises import OPSET
from .store import store_pair
from .trace import trace_search, trace_template
from .write import publish, staging


def build_bundle(
    network: OSTrack,
    out: str | Path,
    *,
    color: str | ColorOrder = ColorOrder.BGR,
    batch: int | None = 1,
    maps: bool = False,
    source: str = "",
    trained: bool = True,
    plan: PrecisionPlan | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Bundle:
    """Export `network`, compare the files with it, and publish them as the bundle `out`.

    color: the order of the crops that the graphs will take; batch: samples per call, None for any number; maps: give
    the score, size and offset maps out too; source: where the weights came from, for the manifest; trained: False for
    made-up weights; plan: the precisions beside FP32, which is always built; progress: told of each step as it begins.

    Raises ExportError where the network does not export, VerificationError where the files differ from it, FootageError
    where there is too little to calibrate on, BundleError where `out` cannot be written; a bundle that was there before
    then stays as it was.
    """
    out = Path(out)
    try:
        color = ColorOrder(color)
    except ValueError:
        raise InputError(f"color is {color!r}; give 'bgr' or 'rgb'") from None
    if batch is not None and batch < 1:
        raise InputError(f"batch is {batch}; give at least 1, or 'any'")
    network = network.eval()
    with staging(out) as folder:
        progress("tracing the template graph")
        template = trace_template(network, color, batch)
        progress("tracing the search graph")
        full = Pair(template, trace_search(network, color, batch, maps))
        graphs = store_pair(full, folder, Precision.FP32)
        progress("running the PyTorch network on reference crops")
        answers = make_reference(network, color)
        path = folder / "reference.npz"
        write_reference(path, answers)
        reference = ReferenceFile(f"{folder.name}/{path.name}", file_sha256(path), path.stat().st_size)

        def manifest(*parity: Parity, added: PrecisionFiles | None = None) -> Manifest:
            return Manifest(
                schema=SCHEMA,
                network=network.geometry,
                kept_counts=network.geometry.kept_counts,
                color=color,
                batch=batch,
                maps=maps,
                opset=OPSET,
                source=source,
                weights_sha256=weights_sha256(network),
                trained=trained,
                created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                versions=_versions(),
                graphs=(*graphs, *(added.graphs if added else ())),
                reference=reference,
                parity=parity,
                calibration=added.calibration if added else None,
                agreement=added.agreement if added else (),
            )

        progress("comparing the exported graphs with PyTorch")
        parity = measure_parity(Bundle(out, manifest()), answers)
        check_parity(parity)
        added = None
        if plan is not None and plan.others:
            added = add_precisions(Bundle(out, manifest(parity)), full, answers, plan, folder, progress)
        publish(out, folder, manifest(parity, added=added))
    return Bundle.open(out)


def weights_sha256(network: OSTrack) -> str:
    """One hash for the weights, whatever file they came in."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("ostrack-edge", "torch", "onnx", "onnxscript", "onnxruntime", "numpy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
