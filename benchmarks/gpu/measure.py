"""Times one engine on a GPU, inside a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from ...runtime.errors import MissingExtraError
from ...runtime.geometry import Box
from .protocol import Against, GpuEngine, GpuTimes, MeasureGpu

if TYPE_CHECKING:
    from ...runtime.backends import Backend
    from ...runtime.bundle import Bundle


def measure_row(request: MeasureGpu, tick: Callable[[int], None]) -> GpuTimes:
    """Raises BackendError for an engine that cannot run or answers wrong, MissingExtraError without its library."""
    from ...runtime.bundle import Bundle
    from ..fps.protocol import Clip
    from ..fps.timing import FrameReader, peak_bytes
    from .loop import BatchLoop

    start = perf_counter()
    bundle, footage = Bundle.open(request.bundle), request.footage
    backend, comparable = make_gpu_backend(request, bundle)
    loaded = perf_counter()
    against = _compare(backend, bundle, request) if comparable else None
    loop, boxes = BatchLoop(backend, request.row.batch), [Box(*box) for box in footage.boxes]
    clip = Clip(footage.path, "", footage.width, footage.height, footage.count, footage.boxes)
    whole, stages, found, scores = [], {}, [], []
    with FrameReader(clip) as reader:
        begun = perf_counter()
        loop.start(reader.read(0), boxes[0])
        loop.update(reader.read(1), boxes[0])
        first_box_ms = (perf_counter() - begun) * 1e3
        for done in range(request.warmup + request.frames):
            number = 1 + (done if done < request.warmup else done - request.warmup) % (footage.count - 1)
            frame = reader.read(number)
            before = perf_counter()
            given, said = loop.update(frame, boxes[number - 1])
            after = perf_counter()
            if done < request.warmup:
                continue
            whole.append((after - before) * 1e3)
            for stage, ms in loop.stages_ms.items():
                stages.setdefault(stage, []).append(float(ms))
            if len(whole) < footage.count:
                found += [tuple(map(float, box)) for box in given]
                scores += said
            tick(len(whole))
    return GpuTimes(
        engine=dict(backend.describe()),
        load_ms=(loaded - start) * 1e3,
        first_box_ms=first_box_ms,
        whole_ms=tuple(whole),
        stages_ms={stage: tuple(ms) for stage, ms in stages.items()},
        peak_bytes=peak_bytes(),
        boxes=tuple(found),
        scores=tuple(scores),
        against=against,
    )


def make_gpu_backend(request: MeasureGpu, bundle: Bundle) -> tuple[Backend, bool]:
    """The engine of a row, and whether its weights are the bundle's."""
    row = request.row
    if row.engine.is_torch:
        return _torch_backend(request, bundle)
    from ...runtime.backends import load_backend

    backend = load_backend(
        bundle, str(row.engine), precision=row.precision, recipe=row.recipe, batch=row.batch, selftest=False
    )
    return backend, True


def _compare(backend: Backend, bundle: Bundle, request: MeasureGpu) -> Against:
    """The self-test that loading would have run, and its figures."""
    from ...runtime.backends.check import check_answers

    found = check_answers(backend, bundle, request.row.precision)
    return Against(found.median_box, found.worst_box, found.score, found.kept)


def _torch_backend(request: MeasureGpu, bundle: Bundle) -> tuple[Backend, bool]:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError("torch", "the PyTorch rows", "export") from None
    from ...export.build import weights_sha256
    from ...export.load import untrained_network
    from ...export.match import load_matching_network
    from ...export.reference_cuda import CudaBackend, CudaRun

    if request.checkpoint is None:
        network = untrained_network(bundle.manifest.network)
    else:
        network = load_matching_network(bundle, Path(request.checkpoint))
    run = CudaRun(
        published=request.row.engine is GpuEngine.PUBLISHED,
        captured=request.row.engine is GpuEngine.CAPTURED,
        precision=request.row.precision,
    )
    backend = CudaBackend(network, bundle.manifest.color, run)
    return backend, weights_sha256(network) == bundle.manifest.weights_sha256
