"""Times one engine under the tracker, frame by frame, inside a worker."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ...runtime.errors import BenchmarkError, MissingExtraError
from ...runtime.geometry import Box
from .protocol import Clip, Engine, Loaded, LoadRow, RunSustained, RunTurn, SustainedTurn, Turn

if TYPE_CHECKING:
    from ...runtime.backends import Backend
    from ...runtime.bundle import Bundle


class FrameReader:
    """A clip's frames, one at a time, into the same buffer, as a camera would: only one is in memory."""

    def __init__(self, clip: Clip) -> None:
        # Open as long as the worker lives.
        self._file = Path(clip.path).open("rb", buffering=0)  # noqa: SIM115
        self._frame = np.empty((clip.height, clip.width, 3), np.uint8)

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def read(self, number: int) -> np.ndarray:
        """Frame `number`: uint8 [height, width, 3], BGR, valid until the next call."""
        self._file.seek(number * self._frame.nbytes)
        if self._file.readinto(self._frame.reshape(-1).data) != self._frame.nbytes:
            raise BenchmarkError(f"{self._file.name} ends before frame {number}")
        return self._frame


class RowTimer:
    """A tracker on one engine. Loads it, tracks the first frame, then runs turns on request."""

    def __init__(self, request: LoadRow) -> None:
        start = perf_counter()
        backend = make_backend(request)
        from ...runtime.tracker import Tracker

        self._tracker = Tracker(backend, color="bgr")
        made = perf_counter()
        self._clip = request.clip
        self._boxes = [Box(*box) for box in request.clip.boxes]
        self._reader = FrameReader(request.clip)
        self._next = 1
        first = self._reader.read(0)
        begun = perf_counter()
        self._tracker.init(first, self._boxes[0])
        template_ms = (perf_counter() - begun) * 1e3
        self.loaded = Loaded((made - start) * 1e3, template_ms + self._update(), dict(backend.describe()))

    def turn(self, request: RunTurn, tick: Callable[[int], None]) -> Turn:
        """`warmup` frames unseen, then `frames` timed ones, always the same: from the clip's first on."""
        self._next = 1
        for _ in range(request.warmup):
            self._update()
        self._next = 1
        whole: list[float] = []
        stages: dict[str, list[float]] = {}
        for done in range(request.frames):
            whole.append(self._update())
            for stage, ms in self._tracker.timings_ms.items():
                stages.setdefault(stage, []).append(float(ms))
            tick(done + 1)
        return Turn(tuple(whole), {stage: tuple(ms) for stage, ms in stages.items()}, peak_bytes())

    def sustained(self, request: RunSustained, tick: Callable[[int], None]) -> SustainedTurn:
        """Frame after frame until the seconds are over."""
        start, frames, span_s, found = perf_counter(), 0, 0.0, []
        while (elapsed := perf_counter() - start) < request.seconds:
            span_s += self._update() / 1e3
            frames += 1
            if span_s >= 1.0:
                found.append(frames / span_s)
                frames, span_s = 0, 0.0
            tick(int(elapsed))
        if not found and frames:
            found.append(frames / span_s)
        return SustainedTurn(tuple(found))

    def _update(self) -> float:
        """Milliseconds of one `update`, on the clip's next frame, around the box that the clip gives for it."""
        frame = self._reader.read(self._next)
        self._tracker.box = self._boxes[self._next - 1]
        self._next = self._next + 1 if self._next + 1 < self._clip.count else 1
        start = perf_counter()
        self._tracker.update(frame)
        return (perf_counter() - start) * 1e3


def make_backend(request: LoadRow) -> Backend:
    """The engine of a row. Raises MissingExtraError without PyTorch, BackendError, BundleError,
    CheckpointError, and VerificationError for a checkpoint of other weights than the bundle's."""
    from ...runtime.bundle import Bundle

    bundle = Bundle.open(request.bundle)
    row = request.row
    if row.engine is not Engine.BUNDLE:
        return _pytorch_backend(request, bundle)
    from ...runtime.backends import load_backend

    return load_backend(bundle, row.backend, precision=row.precision, threads=request.threads)


def _pytorch_backend(request: LoadRow, bundle: Bundle) -> Backend:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError("torch", "the PyTorch reference", "export") from None
    from ...export.load import untrained_network
    from ...export.match import load_matching_network
    from ...export.reference import ReferenceBackend, SavingsBackend

    color = bundle.manifest.color
    if request.checkpoint is None:
        network = untrained_network(bundle.manifest.network)
    else:
        network = load_matching_network(bundle, Path(request.checkpoint))
    if request.row.engine is Engine.REFERENCE:
        return ReferenceBackend(network, color=color, threads=request.threads)
    compiled = request.row.engine is Engine.COMPILED
    return SavingsBackend(network, color=color, threads=request.threads, compiled=compiled)


def peak_bytes() -> int:
    """Most memory that this process has held.

    Linux carries `ru_maxrss` over from the process that started this one, so its own high-water mark is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
