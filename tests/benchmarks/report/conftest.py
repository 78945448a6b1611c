"""A report's content made by hand, and a browser to look at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.report_html.content import (
    LATENCY_SHARES,
    Content,
    Curve,
    DatasetPart,
    Difference,
    EntrantPart,
    Latency,
    Moment,
    RunPart,
    SequencePart,
    SpeedPart,
    SpeedRow,
)
from ostrack_edge.benchmarks.report_html.pictures import draw_moment, encode_jpeg

from .chromium import CHROMIUM, Chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    if not CHROMIUM.is_file():
        pytest.skip(f"looking at the report needs Debian's chromium at {CHROMIUM}: apt-get install chromium")
    with Chromium() as chromium:
        yield chromium


def entrant(name: str, level: float, ms: float, trained: bool = True) -> EntrantPart:
    thresholds = tuple(i / 20 for i in range(21))
    pixels = tuple(float(i) for i in range(51))
    return EntrantPart(
        name=name,
        details={"backend": "onnxruntime", "precision": "fp32"},
        trained=trained,
        sequences=2,
        frames=120,
        figures={"success_auc": level, "precision_20px": level / 2, "norm_precision_at_0.2": level / 3},
        curves={
            "success": Curve(thresholds, tuple(level * (1 - x) for x in thresholds)),
            "precision": Curve(pixels, tuple(level * x / 50 for x in pixels)),
        },
        latency=Latency(120, ms, ms * 1.2, ms * 1.5, ms * 2, 1e3 / ms, tuple(ms * (0.5 + s) for s in LATENCY_SHARES)),
    )


def moment() -> Moment:
    frame = np.full((120, 200, 3), 90, np.uint8)
    picture = draw_moment(frame, np.array([50.0, 40, 30, 20]), {0: np.array([60.0, 45, 30, 20])})
    height, width = picture.shape[:2]
    overlaps = {"bundle fp32": 0.41, "<b>peer</b> & co": 0.0}
    return Moment("bundle fp32 at its worst (IoU 0.41)", "street", 17, overlaps, encode_jpeg(picture), width, height)


@pytest.fixture
def content() -> Content:
    """Two entrants, one of made-up weights and one with a name that HTML must not take for its own."""
    entrants = (entrant("bundle fp32", 0.71, 31.0, trained=False), entrant("<b>peer</b> & co", 0.62, 5.5))
    part = DatasetPart(
        name="folders: <streets>",
        protocol="otb",
        starts="one initialisation from the first truth",
        sequences=3,
        compared=2,
        frames=12345,
        headline="success_auc",
        row_figure="success_auc",
        timing="One process, 2 threads.",
        entrants=entrants,
        differences=(
            Difference("bundle fp32", "<b>peer</b> & co", "success_auc", "sequences", 2, 0.09, 0.02, 0.15, True),
            Difference("bundle fp32", "<b>peer</b> & co", "success_auc", "frames", 2, -0.01, -0.03, 0.02, False),
        ),
        rows=(
            SequencePart("street", "car", 60, {"bundle fp32": 0.8, "<b>peer</b> & co": 0.6}),
            SequencePart(
                "a-very-long-name-of-a-sequence-that-does-not-break-by-itself", None, 60, {"bundle fp32": 0.6}
            ),
        ),
        moments=(moment(), replace(moment(), title="bundle fp32 at its best")),
        notes=("One sequence was left out.",),
    )
    run = RunPart(
        folder="runs/" + "a" * 120,
        created="2026-01-02T03:04:05",
        command="ostrack-bench accuracy bundle --dataset folders:/data/" + "b" * 150,
        machine="A processor, 2 cores",
        versions={"numpy": "2.2", "onnxruntime": "1.2"},
        options={"starts": "one, from the first truth"},
    )
    row = SpeedRow("fp32", 30.1, 31.2, 40.3, 33.2, None)
    speed = SpeedPart("2026-01-02", "bundle", "A processor", "a clip", 2, (row,))
    return Content("Tracking accuracy", "2026-01-02T03:04:05", "0.1.0", (part,), (run,), (speed,))


@pytest.fixture
def crowded(content: Content, tmp_path: Path) -> Path:
    """A report of more entrants than there are colours, with names as long as people make them."""
    from ostrack_edge.benchmarks.report_html.write import write_content

    (part,) = content.datasets
    names = [f"_ostrack-384-fine-tuned-on-our-own-footage-{i}-onnxruntime-openvino-$int8$" for i in range(10)]
    entrants = tuple(entrant(name, 0.3 + i / 20, 4.0 + 3 * i, trained=i > 2) for i, name in enumerate(names))
    rows = tuple(SequencePart(f"street-{i}", None, 60, dict.fromkeys(names, 0.5)) for i in range(5))
    crowd = replace(part, entrants=entrants, rows=rows, name="a" * 200)
    write_content(replace(content, datasets=(crowd,)), tmp_path / "crowded.html")
    return tmp_path / "crowded.html"


@pytest.fixture
def shown(content: Content, tmp_path: Path) -> Path:
    from ostrack_edge.benchmarks.report_html.write import write_content

    write_content(content, tmp_path / "report.html")
    return tmp_path / "report.html"
