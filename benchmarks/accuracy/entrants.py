"""Trackers under test: what each is, and how a process of its own makes it. Nothing heavy is loaded to name one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...runtime.bundle import Bundle, file_sha256
from ...runtime.errors import BenchmarkError, MissingExtraError, VerificationError
from ...runtime.extras import installed
from ...runtime.geometry import Box
from ...runtime.manifest import Precision
from ..engines import choose_engines, load_engine
from ..weights import checkpoint_of
from .record import EntrantKind, EntrantRecord

if TYPE_CHECKING:
    from ...runtime.backends import Backend
    from ...runtime.tracker import Tracker


class Follower(Protocol):
    """What follows a target: `init` with a frame (uint8 [H, W, 3], BGR) and a box (x, y, width, height, pixels), then
    `update` with every further frame, which gives the box and a score (NaN from those that have none)."""

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None: ...

    def update(self, frame: np.ndarray) -> tuple[Box, float]: ...

    def describe(self) -> Mapping[str, str]: ...


class Factory(Protocol):
    """Makes the follower in the process that uses it; plain values only, so that it travels there."""

    def __call__(self, threads: int) -> Follower: ...


@dataclass(frozen=True)
class Entrant:
    """A tracker under test."""

    record: EntrantRecord
    factory: Factory

    @property
    def name(self) -> str:
        return self.record.name


class TrackerFollower:
    """The package's own tracker as an entrant."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def describe(self) -> Mapping[str, str]:
        return {"backend": self._tracker.backend.name, **self._tracker.backend.describe()}

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        self._tracker.init(frame, box)

    def update(self, frame: np.ndarray) -> tuple[Box, float]:
        result = self._tracker.update(frame)
        return result.box, result.score


@dataclass(frozen=True)
class BundleFactory:
    folder: str
    backend: str
    precision: Precision

    def __call__(self, threads: int) -> Follower:
        from ...runtime.tracker import Tracker

        backend = load_engine(Bundle.open(self.folder), self.backend, self.precision, threads)
        return TrackerFollower(Tracker(backend, "bgr"))


@dataclass(frozen=True)
class ReferenceFactory:
    """The published network in PyTorch; without a checkpoint the made-up weights that the bundle was built from."""

    folder: str
    checkpoint: str | None

    def __call__(self, threads: int) -> Follower:
        from ...runtime.tracker import Tracker

        checkpoint = Path(self.checkpoint) if self.checkpoint else None
        return TrackerFollower(Tracker(reference_backend(Bundle.open(self.folder), checkpoint, threads), "bgr"))


@dataclass(frozen=True)
class PeerFactory:
    peer: str

    def __call__(self, threads: int) -> Follower:
        from ...runtime.opencv import cv2
        from ..peers import OpenCvTracker, parse_peer

        cv2.setNumThreads(threads)
        return OpenCvTracker(parse_peer(self.peer))


def bundle_entrants(
    bundle: Bundle, backends: Sequence[str], precisions: Sequence[Precision], name: str | None = None
) -> list[Entrant]:
    """One entrant per backend and precision, as `choose_engines` reads both; name: what they are called by, the
    folder's name by default.

    Raises BackendError for a backend that is asked for and cannot run, BundleError for a precision that is not there.
    """
    check_batch(bundle)
    found = []
    for backend, precision in choose_engines(bundle, backends, precisions):
        hashes = {f"{g.role} graph {g.recipe}": g.sha256 for g in bundle.manifest.graphs if g.precision is precision}
        record = EntrantRecord(
            name=f"{label(bundle, name)}-{backend}-{precision}",
            kind=EntrantKind.BUNDLE,
            backend=backend,
            precision=str(precision),
            trained=bundle.manifest.trained,
            identity={"weights": bundle.manifest.weights_sha256, **hashes},
        )
        found.append(Entrant(record, BundleFactory(str(bundle.folder.absolute()), backend, precision)))
    return found


def reference_entrant(bundle: Bundle, checkpoint: Path | None, name: str | None = None) -> Entrant:
    """The PyTorch network that the bundle was built from; the default model's checkpoint need not be given. Raises
    MissingExtraError without PyTorch, BenchmarkError where another trained bundle comes without its checkpoint, and
    CheckpointError where the default model's is not installed."""
    check_batch(bundle)
    checkpoint = checkpoint_of(bundle, checkpoint)
    if not installed("torch"):
        raise MissingExtraError("torch", "the PyTorch reference", "export")
    if checkpoint is None and bundle.manifest.trained:
        raise BenchmarkError(
            f"the PyTorch reference of {bundle.folder} needs the weights that it was built from "
            f"({bundle.manifest.source}); give them with --checkpoint"
        )
    if checkpoint is not None and not checkpoint.exists():
        raise BenchmarkError(f"{checkpoint} is not there; give the checkpoint that {bundle.folder} was built from")
    record = EntrantRecord(
        name=f"{label(bundle, name)}-pytorch",
        kind=EntrantKind.PYTORCH,
        backend="pytorch",
        precision=str(Precision.FP32),
        trained=bundle.manifest.trained,
        identity={"weights": bundle.manifest.weights_sha256},
    )
    path = str(checkpoint.absolute()) if checkpoint else None
    return Entrant(record, ReferenceFactory(str(bundle.folder.absolute()), path))


def peer_entrant(text: str) -> Entrant:
    """A peer from `KIND:PLACE` or `NAME=KIND:PLACE`. Raises BenchmarkError where it cannot be made here."""
    from ..peers import parse_peer, split_peer

    spec = parse_peer(text)
    identity = {Path(file).name: file_sha256(Path(file)) for file in spec.files}
    name, what = split_peer(text)
    kind, _, place = what.partition(":")
    record = EntrantRecord(name, EntrantKind.PEER, "opencv", "", True, {"class": spec.class_name, **identity})
    return Entrant(record, PeerFactory(f"{kind}:{Path(place).absolute() if place else ''}"))


def reference_backend(bundle: Bundle, checkpoint: Path | None, threads: int | None) -> Backend:
    """The published graph in PyTorch with the bundle's weights; the default model's checkpoint need not be given.

    Raises MissingExtraError without PyTorch, BenchmarkError without the checkpoint of a trained bundle, and
    CheckpointError or VerificationError where the weights cannot be read or are not the bundle's.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError("torch", "the PyTorch reference", "export") from None
    from ...export.match import load_matching_network
    from ...export.reference import ReferenceBackend

    checkpoint = checkpoint_of(bundle, checkpoint)
    network = load_matching_network(bundle, checkpoint) if checkpoint else made_up_network(bundle)
    return ReferenceBackend(network, color=bundle.manifest.color, threads=threads)


def made_up_network(bundle: Bundle) -> Any:
    """The made-up weights of an untrained bundle, made again. Raises BenchmarkError for a trained one,
    VerificationError where they come out differently."""
    from ...export.build import weights_sha256
    from ...export.load import untrained_network

    if bundle.manifest.trained:
        raise BenchmarkError(f"the weights of {bundle.folder} were trained: give them with --checkpoint")
    network = untrained_network(bundle.manifest.network)
    if weights_sha256(network) != bundle.manifest.weights_sha256:
        raise VerificationError(
            f"the made-up weights of {bundle.folder} cannot be made again here (its PyTorch was "
            f"{bundle.manifest.versions.get('torch', 'another')}, or their seed was not 0); build it here with: "
            "ostrack-export build --untrained"
        )
    return network


def check_batch(bundle: Bundle) -> None:
    """Raises BenchmarkError where the graphs take another number of targets than one at a time."""
    if bundle.manifest.batch not in (None, 1):
        raise BenchmarkError(
            f"{bundle.folder} takes exactly {bundle.manifest.batch} targets at a time and one is followed; "
            "build a bundle with --batch 1"
        )


def label(bundle: Bundle, name: str | None) -> str:
    """What a bundle's entrants are called by. Raises BenchmarkError for a name that is none."""
    found = (name if name is not None else bundle.folder.absolute().name).strip()
    if not found or any(c in found for c in "/\\,"):
        raise BenchmarkError(f"{found!r} is no name for an entrant; give letters, digits, dots and dashes with --name")
    return found
