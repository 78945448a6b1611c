"""What a session tells: every value here is made once and never changed, so any thread may read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..runtime.geometry import Box, CropWindow
from .frames import CapturedFrame
from .latency import LatencySummary
from .targets.state import TargetState


class SourceState(str, Enum):
    """`opening`: not open yet. `live`: frames come. `stalled`: open, and no frame for a while. `waiting`: it failed and
    is opened again after a pause. `ended`: a file is at its end. `stopped`: closed by the session."""

    OPENING = "opening"
    LIVE = "live"
    STALLED = "stalled"
    WAITING = "waiting"
    ENDED = "ended"
    STOPPED = "stopped"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class SourceStatus:
    """name: the source as it may be shown, without passwords; reason: the last failure, in a sentence, "" where none;
    captured: frames that the source gave; dropped: those that a newer one replaced before the tracker was free; bad:
    those that could not be decoded; reopened: times that the source was lost and came back; retry_in: seconds to the
    next attempt, None unless waiting; frozen: the last frames are byte for byte the same; blank: the last frame shows
    one plain colour."""

    name: str
    state: SourceState
    reason: str = ""
    captured: int = 0
    dropped: int = 0
    bad: int = 0
    reopened: int = 0
    retry_in: float | None = None
    frozen: bool = False
    blank: bool = False


@dataclass(frozen=True)
class TargetResult:
    """One target in one frame.

    box: pixels of the frame, None while the target is lost; score: of this frame's search, 0..1, None where none was
    made: the frame that the target was shown in, or a blank one; changed: the state is another than in the frame
    before.
    """

    id: int
    name: str
    state: TargetState
    box: Box | None
    score: float | None
    changed: bool = False


@dataclass(frozen=True)
class FrameResult:
    """One tracked frame: what sinks and subscribers are given.

    number, captured, wall: the frame's; size: width, height in pixels; latency_ms: from capture to the last box;
    stages_ms: by stage, `queue` (capture until the tracker took the frame), `check`, `crop`, `copy`, `inference`,
    `decode`.
    """

    number: int
    captured: float
    wall: float
    size: tuple[int, int]
    targets: tuple[TargetResult, ...]
    latency_ms: float
    stages_ms: Mapping[str, float]


class EventKind(str, Enum):
    """What happened: to a target, the source, the bundle, a sink, or the session."""

    TARGET_ADDED = "target_added"
    TARGET_REMOVED = "target_removed"
    TARGET_STATE = "target_state"
    SOURCE_STATE = "source_state"
    BUNDLE = "bundle"
    SINK = "sink"
    PAUSED = "paused"
    RESUMED = "resumed"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Event:
    """One thing that happened. text: a line for a person; wall: `time.time()`; target, name, state: of the target that
    it is about, None and "" where it is about none; box: pixels of the frame."""

    kind: EventKind
    text: str
    wall: float
    target: int | None = None
    name: str = ""
    state: str = ""
    box: Box | None = None


@dataclass(frozen=True, eq=False)
class TargetView:
    """One target with what the network saw of it.

    result: in the newest tracked frame; last_box: the last box that was believed; color: red, green, blue;
    template_crop: uint8 [T, T, 3], BGR, and search_crop: uint8 [S, S, 3], BGR, None before the first search;
    search_window: the square of the frame that the search crop shows; search_grid: tokens per side of the search crop;
    kept: int32 [n] per elimination stage, the search tokens (row-major, 0 .. search_grid**2 - 1) that stayed.
    """

    result: TargetResult
    last_box: Box
    color: tuple[int, int, int]
    frames_in_state: int
    template_crop: np.ndarray
    search_crop: np.ndarray | None
    search_window: CropWindow | None
    search_grid: int
    kept: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class BundleStatus:
    """The bundle that tracks: its name on the command line, its engine and precision; choices: all names and the
    precisions that run here; switching: a bundle is being loaded; reason: why the last switch failed, "" where not;
    trained: False for made-up weights, whose boxes mean nothing."""

    name: str
    backend: str
    precision: str
    choices: Mapping[str, tuple[str, ...]]
    switching: bool = False
    reason: str = ""
    trained: bool = True


@dataclass(frozen=True)
class SinkStatus:
    """written, lost: records; reason: why it failed, "" where it works."""

    name: str
    written: int
    lost: int
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The newest frame and what is known of it. frame, result: None before the first one."""

    frame: CapturedFrame | None
    result: FrameResult | None
    targets: tuple[TargetView, ...]
    source: SourceStatus
    latency: LatencySummary
    bundle: BundleStatus
    sinks: tuple[SinkStatus, ...]
    paused: bool
