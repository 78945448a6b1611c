"""Speeds that `ostrack-bench fps --json` measured."""

from __future__ import annotations

import json
from pathlib import Path

from ...runtime.errors import BenchmarkError, BundleError
from ...runtime.manifest import from_json
from ..fps.report import FpsReport
from .content import SpeedPart, SpeedRow


def read_speed(path: Path) -> SpeedPart:
    """The rows of one measurement. Raises BenchmarkError for a file that is missing, damaged or something else."""
    try:
        report = from_json(FpsReport, json.loads(path.read_text(encoding="utf-8")), "the report")
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, BundleError) as error:
        raise BenchmarkError(
            f"{path} is no speed report of this package ({error}); make one with: ostrack-bench fps BUNDLE --json FILE"
        ) from None
    rows = tuple(
        SpeedRow(
            name=row.name,
            median_ms=row.whole.median_ms,
            p90_ms=row.whole.p90_ms,
            p99_ms=row.whole.p99_ms,
            frames_per_second=row.frames_per_second,
            ratio_to_pytorch=row.ratio_to_pytorch,
        )
        for row in report.rows
    )
    return SpeedPart(
        created=report.created,
        bundle=report.bundle,
        machine=report.machine.sentence,
        footage=f"{report.footage}, {report.frame_width} x {report.frame_height} pixels",
        threads=report.threads,
        rows=rows,
    )
