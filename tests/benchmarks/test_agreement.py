from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge import Box, ColorOrder, NetworkGeometry
from ostrack_edge.benchmarks.agreement import AgreementReport, Recorder, Side, agreement_lines, measure_agreement
from ostrack_edge.benchmarks.agreement_pictures import SIDE, write_pictures
from ostrack_edge.datasets import Scene, open_footage
from ostrack_edge.runtime.backends import SearchResult
from ostrack_edge.runtime.errors import BenchmarkError, OutputError
from ostrack_edge.runtime.geometry import hann_window

GEOMETRY = NetworkGeometry("fake", 64, 128, 2.0, 4.0, width=64, depth=12, heads=1, mlp_width=64, head_width=16)
GRID = GEOMETRY.search_grid


class MapBackend:
    """Answers from maps as the exported graphs do: the box of the best cell of score x window.

    The score map has one peak at `cell`; the box there is a quarter of the crop wide and high, its centre `offset`
    cells away from the cell's corner.
    """

    name = "maps"
    network = GEOMETRY
    batch = None
    color = ColorOrder.BGR

    def __init__(self, cell: tuple[int, int] = (4, 4), offset: tuple[float, float] = (0.0, 0.0)) -> None:
        self.score_map = np.full((GRID, GRID), 1e-4, np.float32)
        self.score_map[cell[1], cell[0]] = 0.9
        self.offset = offset
        self.calls = 0

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return {"inference": 0.0}

    def describe(self) -> Mapping[str, str]:
        return {"precision": "fp32"}

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> object:
        return "features"

    def search(self, features: object, search: np.ndarray, window: np.ndarray) -> SearchResult:
        self.calls += 1
        y, x = np.unravel_index(int((self.score_map * window).argmax()), window.shape)
        centre = [(x + self.offset[0]) / GRID, (y + self.offset[1]) / GRID]
        box = np.array([[*centre, 0.25, 0.25]], np.float32)
        kept = tuple(np.zeros((1, n), np.int32) for n in GEOMETRY.kept_counts)
        return SearchResult(box, self.score_map[None, y, x], kept)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    Scene(160, 120, frames=6).write_video(path)
    return path


def measure(clip: Path, tested: MapBackend, against: MapBackend, frames: int | None = None) -> AgreementReport:
    with open_footage(clip) as footage:
        init = Box(60, 40, 32, 32)
        sides = Side("tested", lambda: tested), Side("baseline", lambda: against)
        return measure_agreement(footage, init, *sides, trained=True, most_frames=frames)


@pytest.mark.parametrize("offset", [(0.5, 0.5), (0.0, 0.99), (3.2, -2.5), (-9.0, 9.0)])
@pytest.mark.parametrize("cell", [(4, 4), (0, 0), (7, 2), (7, 7)])
def test_the_chosen_cell_is_found_wherever_the_offset_leads(cell: tuple[int, int], offset: tuple[float, float]) -> None:
    backend = MapBackend(cell, offset)
    recorder = Recorder(backend)
    recorder.search("features", np.zeros((1, 128, 128, 3), np.uint8), hann_window(GRID))
    assert recorder.cell() == cell[1] * GRID + cell[0]
    inside = all(0 <= v < 1 for v in offset)
    assert backend.calls <= (2 if inside else 10)


def test_an_engine_that_answers_at_random_is_refused() -> None:
    class Random(MapBackend):
        def search(self, features: object, search: np.ndarray, window: np.ndarray) -> SearchResult:
            self.offset = (self.calls * 0.1, 0.0)
            return super().search(features, search, window)

    recorder = Recorder(Random())
    recorder.search("features", np.zeros((1, 128, 128, 3), np.uint8), hann_window(GRID))
    with pytest.raises(BenchmarkError, match="answers the same search differently"):
        recorder.cell()


def test_equal_engines_agree(clip: Path) -> None:
    report = measure(clip, MapBackend(), MapBackend())
    assert [f.frame for f in report.frames] == [1, 2, 3, 4, 5]
    assert (report.mean_iou, report.worst_iou, report.same_cell, report.free_mean_iou) == (1, 1, 1, 1)
    assert report.parted is None
    lines = list(agreement_lines(report))
    assert "same cell in 100.0% of the frames" in lines[1]
    assert "they never part by more than half" in lines[2]
    assert len(lines) == 3


def test_a_constant_shift_stays_a_step_apart_and_adds_up_running_free(clip: Path) -> None:
    # A tenth of a cell of a crop that is four boxes wide: 1/20 of a box per frame, to the right.
    report = measure(clip, MapBackend(offset=(0.1, 0.0)), MapBackend())
    step = (1 - 0.05) / (1 + 0.05)
    assert [f.iou for f in report.frames] == pytest.approx([step] * 5, abs=0.02)
    free = [(1 - 0.05 * n) / (1 + 0.05 * n) for n in range(1, 6)]
    assert [f.free_iou for f in report.frames] == pytest.approx(free, abs=0.04)
    assert report.same_cell == 1
    assert report.parted is None


def test_another_cell_is_told_and_parts_them(clip: Path) -> None:
    report = measure(clip, MapBackend(cell=(5, 4)), MapBackend())
    # One cell is half a box: an IoU of a third in one step already.
    assert report.same_cell == 0
    assert report.parted == 1
    assert report.worst_iou == pytest.approx(1 / 3, abs=0.03)
    assert "they part by more than half first in frame 1" in "\n".join(agreement_lines(report))


def test_worst_frames_as_pictures(clip: Path, tmp_path: Path) -> None:
    report = measure(clip, MapBackend(offset=(0.3, 0.0)), MapBackend())
    with open_footage(clip) as footage:
        paths = write_pictures(report, footage, tmp_path / "pictures", count=3)
    assert [p.name[:8] for p in paths] == ["worst_01", "worst_02", "worst_03"]
    assert {int(p.stem[-6:]) for p in paths} == {f.frame for f in report.worst(3)}
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.shape == (SIDE, SIDE, 3)
    (tmp_path / "file").write_text("")
    with open_footage(clip) as footage, pytest.raises(OutputError, match="is a file"):
        write_pictures(report, footage, tmp_path / "file")


def test_the_first_frames_alone(clip: Path) -> None:
    assert len(measure(clip, MapBackend(), MapBackend(), frames=3).frames) == 2
    with pytest.raises(BenchmarkError, match="agreement needs at least 2"):
        measure(clip, MapBackend(), MapBackend(), frames=1)
