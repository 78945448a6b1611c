"""What a run of `ostrack-bench fps` found."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ...runtime.network import NetworkGeometry
from ..machine import Machine
from ..sysfs import Conditions
from .floor import Floor
from .protocol import Loaded, Turn
from .rows import MissingRow
from .stats import WHOLE, StageTimes, Sustained, ratio_by_round, stage_times

STAGES = ("crop", "copy", "inference", "decode")
"""Parts of a frame that the tracker times; an engine that has none of one leaves it out."""


@dataclass(frozen=True)
class RowReport:
    """One engine's figures over all counted frames of all rounds.

    `ratio_to_pytorch`: how many times as fast as the reference; `ratio_to_floor`: how many times the floor's time it
    takes; `ratio_to_bundle`, of a bundle measured beside: how many times as fast as the measured bundle on the same
    engine. All are medians over the rounds of that round's medians, None where there is nothing to compare with.
    """

    name: str
    engine: dict[str, str]
    load_ms: float
    first_box_ms: float
    peak_bytes: int
    frames: int
    stages: tuple[StageTimes, ...]
    frames_per_second: float
    ratio_to_pytorch: float | None
    ratio_to_floor: float | None
    ratio_to_bundle: float | None
    round_median_ms: tuple[float, ...]
    sustained: Sustained | None

    @property
    def whole(self) -> StageTimes:
        """The whole frame: the last of the stages."""
        return self.stages[-1]


@dataclass(frozen=True)
class FpsReport:
    """`frames` are counted in each of `rounds` turns per row, after `warmup` uncounted ones; `missing` are the rows and
    libraries that could not be measured. `before` and `after` the run: clocks and temperatures."""

    created: str
    bundle: str
    network: NetworkGeometry
    trained: bool
    reference_weights: str
    footage: str
    frame_width: int
    frame_height: int
    distinct_frames: int
    rounds: int
    frames: int
    warmup: int
    threads: int
    machine: Machine
    before: Conditions
    after: Conditions
    rows: tuple[RowReport, ...]
    floor: Floor | None
    missing: tuple[MissingRow, ...]


def round_medians(turns: Sequence[Turn]) -> list[float]:
    """The median whole frame of each round, milliseconds."""
    return [statistics.median(turn.whole_ms) for turn in turns]


def make_row(
    name: str,
    loaded: Loaded,
    turns: Sequence[Turn],
    sustained: Sustained | None,
    reference_ms: Sequence[float] | None,
    floor_ms: Sequence[float] | None,
    bundle_ms: Sequence[float] | None = None,
) -> RowReport:
    """turns: one per round; the others: the same rounds' medians of the reference, floors, and medians of the bundle
    that this one is measured beside."""
    whole = [ms for turn in turns for ms in turn.whole_ms]
    rounds = round_medians(turns)
    stages = [
        stage_times(stage, [ms for turn in turns for ms in turn.stages_ms[stage]])
        for stage in STAGES
        if all(stage in turn.stages_ms for turn in turns)
    ]
    frame = stage_times(WHOLE, whole)
    return RowReport(
        name=name,
        engine=loaded.engine,
        load_ms=loaded.load_ms,
        first_box_ms=loaded.first_box_ms,
        peak_bytes=max(turn.peak_bytes for turn in turns),
        frames=len(whole),
        stages=(*stages, frame),
        frames_per_second=1e3 / frame.median_ms,
        ratio_to_pytorch=ratio_by_round(reference_ms, rounds) if reference_ms else None,
        ratio_to_floor=ratio_by_round(rounds, floor_ms) if floor_ms else None,
        ratio_to_bundle=ratio_by_round(bundle_ms, rounds) if bundle_ms else None,
        round_median_ms=tuple(rounds),
        sustained=sustained,
    )
