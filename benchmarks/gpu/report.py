"""What a run of `ostrack-bench gpu` found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...runtime.cuda import DeviceInfo
from ...runtime.network import NetworkGeometry
from ..fps.rows import MissingRow
from ..fps.stats import WHOLE, StageTimes, stage_times
from ..machine import Machine
from ..metrics.boxes import iou
from ..sysfs import Conditions
from .protocol import Against, GpuRow, GpuTimes

_STAGES = ("crop", "copy", "inference", "decode")


@dataclass(frozen=True)
class SameFrames:
    """A row against the FP32 row `reference` of the same batch, on this device, from the same places in the same
    frames: `mean_iou` and the worst `box_px` (largest of a box's four figures) in the frame, the worst `score`."""

    reference: str
    boxes: int
    mean_iou: float
    box_px: float
    score: float


@dataclass(frozen=True)
class GpuReport:
    """One row's figures. `stages`: milliseconds per call, the last from the frame to all boxes of the batch;
    `targets_per_second`: batch over that median; `against_stored`: the bundle's stored FP32 answers."""

    name: str
    row: GpuRow
    engine: dict[str, str]
    load_ms: float
    first_box_ms: float
    peak_bytes: int
    frames: int
    stages: tuple[StageTimes, ...]
    targets_per_second: float
    against_stored: Against | None
    against_fp32: SameFrames | None

    @property
    def whole(self) -> StageTimes:
        return self.stages[-1]

    def stage(self, name: str) -> StageTimes | None:
        return next((stage for stage in self.stages if stage.stage == name), None)


@dataclass(frozen=True)
class GpuRun:
    """Everything that was measured and, in `missing`, every row that was not, with the reason."""

    created: str
    bundle: str
    network: NetworkGeometry
    trained: bool
    weights_sha256: str
    gpu: DeviceInfo | None
    driver: str | None
    footage: str
    warmup: int
    frames: int
    machine: Machine
    before: Conditions
    after: Conditions
    rows: tuple[GpuReport, ...]
    missing: tuple[MissingRow, ...]


def make_report(row: GpuRow, times: GpuTimes, reference: tuple[GpuRow, GpuTimes] | None) -> GpuReport:
    """reference: the FP32 row of the same batch that was measured first, None where this is it or there is none."""
    stages = [stage_times(name, times.stages_ms[name]) for name in _STAGES if name in times.stages_ms]
    whole = stage_times(WHOLE, times.whole_ms)
    return GpuReport(
        name=row.name,
        row=row,
        engine=times.engine,
        load_ms=times.load_ms,
        first_box_ms=times.first_box_ms,
        peak_bytes=times.peak_bytes,
        frames=len(times.whole_ms),
        stages=(*stages, whole),
        targets_per_second=row.batch * 1e3 / whole.median_ms,
        against_stored=times.against,
        against_fp32=_same_frames(times, *reference) if reference else None,
    )


def _same_frames(times: GpuTimes, row: GpuRow, reference: GpuTimes) -> SameFrames | None:
    count = min(len(times.boxes), len(reference.boxes))
    one, other = (np.asarray(t.boxes[:count], np.float64) for t in (times, reference))
    scores: Sequence[np.ndarray] = [np.asarray(t.scores[:count]) for t in (times, reference)]
    return SameFrames(
        reference=row.name,
        boxes=count,
        mean_iou=float(np.mean(iou(one, other))),
        box_px=float(np.abs(one - other).max()),
        score=float(np.abs(scores[0] - scores[1]).max()),
    )
