"""Do two engines agree on somebody's own footage? It needs no truth: one precision, backend or PyTorch against another.

Two questions. From the same state: both search every frame around the box that the baseline found before; what differs
is one step's difference. Running free: each goes on from its own box; what differs has added up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..runtime.errors import BenchmarkError
from ..runtime.geometry import Box
from .metrics import iou

if TYPE_CHECKING:
    from ..runtime.backends import Backend, SearchResult, TargetFeatures
    from ..runtime.network import ColorOrder, NetworkGeometry
    from ..runtime.tracker import Tracker

PARTED = 0.5
"""Two boxes with an IoU below it have parted by more than half."""


class Recorder:
    """A backend that remembers its last search, so that the cell that was chosen can be asked for afterwards."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._features: TargetFeatures = None
        self._search = np.zeros(0, np.uint8)
        self._window = np.zeros(0, np.float32)
        self._box = np.zeros(4, np.float32)

    @property
    def name(self) -> str:
        return self._backend.name

    @property
    def network(self) -> NetworkGeometry:
        return self._backend.network

    @property
    def batch(self) -> int | None:
        return self._backend.batch

    @property
    def color(self) -> ColorOrder:
        return self._backend.color

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return self._backend.timings_ms

    def describe(self) -> Mapping[str, str]:
        return self._backend.describe()

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        return self._backend.embed_template(template, template_box)

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        found = self._backend.search(features, search, window)
        self._features, self._search, self._window = features, search.copy(), window
        self._box = found.box[0].copy()
        return found

    def cell(self) -> int:
        """The cell (row-major) that the last search chose.

        The graphs give the box and not the cell, so it is asked for: a window that is zero elsewhere leaves the answer
        as it was where it still holds the chosen cell. The cell under the box's centre is tried first, as a trained
        network's offset lies inside the cell; what is left is halved. Raises BenchmarkError for an engine whose answers
        to one question differ.
        """
        grid = self.network.search_grid
        x, y = (min(max(int(float(v) * grid), 0), grid - 1) for v in self._box[:2])
        guess = y * grid + x
        if self._holds([guess]):
            return guess
        left = [cell for cell in range(grid * grid) if cell != guess]
        while len(left) > 1:
            half = left[: len(left) // 2]
            left = half if self._holds(half) else left[len(left) // 2 :]
        if not self._holds(left):
            raise BenchmarkError(
                f"{self.name} answers the same search differently each time, so its cells cannot be compared"
            )
        return left[0]

    def _holds(self, cells: list[int]) -> bool:
        window = np.zeros(self._window.size, np.float32)
        window[cells] = self._window.ravel()[cells]
        found = self._backend.search(self._features, self._search, window.reshape(self._window.shape))
        return bool(np.allclose(found.box[0], self._box, rtol=0, atol=1e-6))


class Frames(Protocol):
    """Frames in order, uint8 [H, W, 3], BGR, as often as they are asked for, and what they are called."""

    @property
    def path(self) -> Path: ...

    def __iter__(self) -> Iterator[np.ndarray]: ...


@dataclass(frozen=True)
class Side:
    """An engine to load: `load` makes it; `name` is what it is called."""

    name: str
    load: Callable[[], Backend]


@dataclass(frozen=True)
class FrameAgreement:
    """One frame. iou: of the two boxes from the same state; free_iou: of `free_box` and the baseline's, each running
    free; the boxes are x, y, width, height in pixels, the scores 0..1."""

    frame: int
    iou: float
    same_cell: bool
    box: tuple[float, ...]
    against_box: tuple[float, ...]
    score: float
    against_score: float
    free_iou: float
    free_box: tuple[float, ...]


@dataclass(frozen=True)
class AgreementReport:
    """`frames`: one per update; `parted`: the first frame in which the two, running free, overlap by less than half,
    None where they never do; `trained` is False for made-up weights."""

    footage: str
    init: tuple[float, ...]
    name: str
    against: str
    trained: bool
    engine: dict[str, str]
    against_engine: dict[str, str]
    mean_iou: float
    worst_iou: float
    same_cell: float
    free_mean_iou: float
    parted: int | None
    frames: tuple[FrameAgreement, ...]

    def worst(self, count: int) -> list[FrameAgreement]:
        """The frames in which the boxes from the same state overlap least, the worst first."""
        return sorted(self.frames, key=lambda f: (f.iou, f.frame))[:count]


@dataclass(frozen=True)
class _Steps:
    """The baseline's own run: boxes and scores by frame, the first frame's box being the given one."""

    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    cells: tuple[int, ...]
    engine: dict[str, str]


def measure_agreement(
    footage: Frames,
    init: Box,
    side: Side,
    against: Side,
    trained: bool,
    most_frames: int | None = None,
    tick: Callable[[int], None] = lambda done: None,
) -> AgreementReport:
    """Run `against` through the footage, then `side` beside it; one engine is loaded at a time.

    tick: hears after each frame how many are done, of twice the footage's. Raises BenchmarkError for footage of a
    single frame, and what the footage and the engines raise.
    """
    baseline = _run_free(footage, init, against, most_frames, tick)
    count = len(baseline.boxes)
    if count < 2:
        raise BenchmarkError(f"{footage.path} has one frame; agreement needs at least 2")
    frames, engine = _run_beside(footage, init, side, baseline, lambda done: tick(count + done))
    ious = [f.iou for f in frames]
    return AgreementReport(
        footage=str(footage.path),
        init=tuple(init),
        name=side.name,
        against=against.name,
        trained=trained,
        engine=engine,
        against_engine=baseline.engine,
        mean_iou=float(np.mean(ious)),
        worst_iou=min(ious),
        same_cell=float(np.mean([f.same_cell for f in frames])),
        free_mean_iou=float(np.mean([f.free_iou for f in frames])),
        parted=next((f.frame for f in frames if f.free_iou < PARTED), None),
        frames=tuple(frames),
    )


def _tracker(side: Side) -> tuple[Tracker, Recorder]:
    from ..runtime.tracker import Tracker

    recorder = Recorder(side.load())
    return Tracker(recorder, "bgr"), recorder


def _run_free(footage: Frames, init: Box, side: Side, most_frames: int | None, tick: Callable[[int], None]) -> _Steps:
    tracker, recorder = _tracker(side)
    boxes, scores, cells = [init], [1.0], [-1]
    for i, frame in enumerate(itertools.islice(footage, most_frames)):
        if i == 0:
            tracker.init(frame, init)
        else:
            result = tracker.update(frame)
            boxes.append(result.box)
            scores.append(result.score)
            cells.append(recorder.cell())
        tick(i + 1)
    return _Steps(tuple(boxes), tuple(scores), tuple(cells), _describe(recorder))


def _run_beside(
    footage: Frames, init: Box, side: Side, baseline: _Steps, tick: Callable[[int], None]
) -> tuple[list[FrameAgreement], dict[str, str]]:
    tracker, recorder = _tracker(side)
    free = init
    found = []
    for i, frame in enumerate(itertools.islice(footage, len(baseline.boxes))):
        if i == 0:
            tracker.init(frame, init)
        else:
            before = baseline.boxes[i - 1]
            tracker.box = before
            same = tracker.update(frame)
            cell = recorder.cell()
            if free != before:
                tracker.box = free
                free = tracker.update(frame).box
            else:
                # Nothing has come between them yet: the answer would be the same.
                free = same.box
            found.append(_compare(i, same.box, same.score, cell, free, baseline))
        tick(i + 1)
    return found, _describe(recorder)


def _compare(i: int, box: Box, score: float, cell: int, free: Box, baseline: _Steps) -> FrameAgreement:
    against = np.asarray(baseline.boxes[i])
    overlap, free_overlap = iou(np.asarray([box, free]), against).tolist()
    return FrameAgreement(
        frame=i,
        iou=overlap,
        same_cell=cell == baseline.cells[i],
        box=tuple(box),
        against_box=tuple(baseline.boxes[i]),
        score=score,
        against_score=baseline.scores[i],
        free_iou=free_overlap,
        free_box=tuple(free),
    )


def _describe(recorder: Recorder) -> dict[str, str]:
    return {"backend": recorder.name, **recorder.describe()}


def agreement_lines(report: AgreementReport) -> Iterator[str]:
    """What was found, for people."""
    n = len(report.frames)
    yield f"{report.name} against {report.against} on {report.footage}, {n} updates"
    yield (
        f"from the same state: mean IoU {report.mean_iou:.4f}, worst {report.worst_iou:.4f}, "
        f"same cell in {report.same_cell:.1%} of the frames"
    )
    parted = "they never part by more than half"
    if report.parted is not None:
        parted = f"they part by more than half first in frame {report.parted}"
    yield f"running free: mean IoU {report.free_mean_iou:.4f}; {parted}"
    worst = report.worst(3)
    if worst and worst[0].iou < 0.9995:
        yield "worst frames: " + ", ".join(f"{f.frame} (IoU {f.iou:.3f})" for f in worst)
    if not report.trained:
        yield "made-up weights: the boxes mean nothing; how far two engines agree on them says little of trained ones"
