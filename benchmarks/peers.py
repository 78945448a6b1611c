"""Other trackers in the same run: those of the installed OpenCV, behind the interface that every entrant has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import BenchmarkError
from ..runtime.geometry import Box, check_box
from ..runtime.opencv import cv2

NANO_FILES = ("nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx")
DASIAMRPN_FILES = ("dasiamrpn_model.onnx", "dasiamrpn_kernel_cls1.onnx", "dasiamrpn_kernel_r1.onnx")


@dataclass(frozen=True)
class PeerKind:
    """A tracker of OpenCV: its classes by preference, and what its place names: files of a folder, one file, nothing.

    `settings` are the fields of its parameters that take the files, in order.
    """

    classes: tuple[str, ...]
    wants: str
    files: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


KINDS = {
    "nano": PeerKind(("TrackerNano",), "nano:FOLDER", NANO_FILES, ("backbone", "neckhead")),
    "vit": PeerKind(("TrackerVit",), "vit:FILE", (), ("net",)),
    "dasiamrpn": PeerKind(
        ("TrackerDaSiamRPN",), "dasiamrpn:FOLDER", DASIAMRPN_FILES, ("model", "kernel_cls1", "kernel_r1")
    ),
    "mil": PeerKind(("TrackerMIL",), "mil:"),
    "csrt": PeerKind(("TrackerCSRT", "legacy.TrackerCSRT"), "csrt:"),
    "kcf": PeerKind(("TrackerKCF", "legacy.TrackerKCF"), "kcf:"),
    "mosse": PeerKind(("legacy.TrackerMOSSE",), "mosse:"),
    "medianflow": PeerKind(("legacy.TrackerMedianFlow",), "medianflow:"),
    "boosting": PeerKind(("legacy.TrackerBoosting",), "boosting:"),
    "tld": PeerKind(("legacy.TrackerTLD",), "tld:"),
}
"""Peers by name. TrackerGOTURN is left out: OpenCV 5 can no longer load its network."""


@dataclass(frozen=True)
class PeerSpec:
    """A peer that can be made here: its name, OpenCV's class, and its model files."""

    name: str
    class_name: str
    files: tuple[str, ...]


def parse_peer(text: str) -> PeerSpec:
    """A peer from `KIND:`, `KIND:PLACE` or `NAME=KIND:PLACE`.

    Raises BenchmarkError where OpenCV lacks it or its files are not there.
    """
    name, _, place = split_peer(text)[1].partition(":")
    kind = KINDS.get(name)
    if kind is None:
        raise BenchmarkError(f"there is no peer {name!r}; known are: {', '.join(k.wants for k in KINDS.values())}")
    class_name = next((c for c in kind.classes if _lookup(c) is not None), None)
    if class_name is None:
        raise BenchmarkError(
            f"OpenCV {cv2.__version__} here has no {kind.classes[0].rpartition('.')[2]}; it has: "
            f"{', '.join(peers_here())}; builds with the contrib modules bring more"
        )
    return PeerSpec(name, class_name, tuple(map(str, _model_files(kind, place))))


def split_peer(text: str) -> tuple[str, str]:
    """("small", "nano:FOLDER") from "small=nano:FOLDER": what the peer is called, its kind by default, and what it is.

    Raises BenchmarkError for a name that is none.
    """
    name, equals, rest = text.partition("=")
    if not equals or ":" in name:
        return text.partition(":")[0], text
    name = name.strip()
    if not name or any(c in name for c in "/\\,"):
        raise BenchmarkError(f"{name!r} is no name for an entrant; give --peer NAME={rest}")
    return name, rest


def peers_here() -> list[str]:
    """The peers that the installed OpenCV has classes for."""
    return [name for name, kind in KINDS.items() if any(_lookup(c) is not None for c in kind.classes)]


class OpenCvTracker:
    """A tracker of OpenCV as an entrant: `init(frame, box)`, then `update(frame) -> (box, score)`."""

    def __init__(self, spec: PeerSpec) -> None:
        """Raises BenchmarkError where OpenCV does not take the model files."""
        self._spec = spec
        self._make = _maker(spec)
        self._tracker: Any = None
        self._box = Box(0, 0, 1, 1)
        try:
            self._make()
        except cv2.error as error:
            raise BenchmarkError(f"OpenCV does not load {' and '.join(spec.files)}: {_first_line(error)}") from None

    def describe(self) -> dict[str, str]:
        return {"library": f"opencv {cv2.__version__}", "device": "cpu", "threads": str(cv2.getNumThreads())}

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        """frame: uint8 [H, W, 3], BGR; box: x, y, width, height in pixels, rounded to whole ones as OpenCV wants.

        Raises BenchmarkError where OpenCV refuses them.
        """
        self._box = check_box(box)
        height, width = frame.shape[:2]
        # A new one for each target: several of them cannot be initialised twice.
        self._tracker = self._make()
        try:
            self._tracker.init(frame, whole_box(self._box, width, height))
        except cv2.error as error:
            raise self._refusal(error) from None

    def update(self, frame: np.ndarray) -> tuple[Box, float]:
        """The box, pixels, and its score (NaN from trackers without one).

        Where the tracker says that it lost the target, the last box stands, as benchmarks want one for every frame.
        """
        try:
            found, box = self._tracker.update(frame)
        except cv2.error as error:
            raise self._refusal(error) from None
        if found:
            self._box = Box(*map(float, box))
        read = getattr(self._tracker, "getTrackingScore", None)
        score = float(read()) if read is not None else math.nan
        # OpenCV's word for "none" is -1.
        return self._box, score if score >= 0 else math.nan

    def _refusal(self, error: Exception) -> BenchmarkError:
        return BenchmarkError(f"OpenCV's {self._spec.class_name} failed: {_first_line(error)}")


def whole_box(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The four numbers rounded, cut to a frame of width x height, at least one pixel wide and high."""
    left, top, w, h = (round(v) for v in box)
    x, y = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return x, y, max(1, min(left + w, width) - x), max(1, min(top + h, height) - y)


def _model_files(kind: PeerKind, place: str) -> list[Path]:
    if not kind.settings:
        if place:
            raise BenchmarkError(f"{kind.wants} takes no files, and {place!r} was given")
        return []
    if not place:
        raise BenchmarkError(f"{kind.wants.partition(':')[0]} needs its model: give {kind.wants}")
    files = [Path(place) / name for name in kind.files] or [Path(place)]
    for file in files:
        if not file.is_file():
            raise BenchmarkError(f"{file} is not there; {kind.wants} needs {', '.join(kind.files) or 'a model file'}")
    return files


def _maker(spec: PeerSpec) -> Callable[[], Any]:
    settings = KINDS[spec.name].settings
    if settings:
        parameters = _lookup(f"{spec.class_name}_Params")()
        for setting, file in zip(settings, spec.files, strict=True):
            setattr(parameters, setting, file)
        return lambda: _create(spec)(parameters)
    return lambda: _create(spec)()


def _create(spec: PeerSpec) -> Callable[..., Any]:
    found = _lookup(f"{spec.class_name}_create")
    return found if found is not None else _lookup(spec.class_name).create


def _lookup(name: str) -> Any:
    found: Any = cv2
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
