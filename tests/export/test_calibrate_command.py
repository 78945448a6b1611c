"""`ostrack-export calibrate` as a user meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ostrack_edge.calib.crops import read_crops
from ostrack_edge.calib.gather import crops_from_footage
from ostrack_edge.datasets.scene import Scene
from ostrack_edge.export.precision.add import gather_crops
from ostrack_edge.export.precision.plan import Calibrating
from ostrack_edge.models import default_bundle
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.opencv import cv2

MAIN = "from ostrack_edge.export.cli import main; main()"

ABSENT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'onnx', 'onnxscript'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Absent())
"""


def run(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", before + MAIN, "calibrate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two rendered clips with their truth."""
    folder = tmp_path_factory.mktemp("videos")
    for seed in (1, 2):
        Scene(240, 180, frames=30, seed=seed).write_video(folder / f"clip{seed}.avi")
    return sorted(folder.glob("*.avi"))


def test_crops_a_table_and_a_sheet_without_torch_and_onnx(videos: list[Path], tmp_path: Path) -> None:
    out, sheet = tmp_path / "crops.npz", tmp_path / "crops.jpg"
    footage = [argument for video in videos for argument in ("--footage", video)]
    done = run(*footage, "--out", out, "--limit", 40, "--seed", 3, "--sheet", sheet, before=ABSENT)
    assert done.returncode == 0, done.stderr

    bundle = Bundle.open(default_bundle())
    crops = read_crops(out, bundle.manifest.network, bundle.manifest.color)
    assert crops.sources == ("clip1", "clip2")
    assert 16 <= len(crops.seen) <= 32
    assert 4 <= len(crops.unseen) <= 8
    expected, reports = crops_from_footage(bundle, [*map(str, videos)], limit=40, seed=3)
    assert crops.sha256 == expected.sha256

    lines = done.stdout.splitlines()
    for line, report in zip(lines[1:3], reports, strict=True):
        figures = (report.name, report.frames, report.kept, report.duplicates, report.lost)
        assert line.split() == [*map(str, figures), *(["yes"] if report.held_back else [])]
    assert f"{len(crops.seen)} crops to calibrate on and {len(crops.unseen)} held back" in lines[3]
    assert f"{out}; sha256 {crops.sha256[:12]}" in lines[3]
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape[0] >= 128 * len(crops.search) / (picture.shape[1] / 128)

    assert gather_crops(bundle, Calibrating((str(out),)), lambda step: None).sha256 == crops.sha256


def test_a_bundle_of_made_up_weights_is_told_of(tiny_bundle: Path, videos: list[Path], tmp_path: Path) -> None:
    footage = [argument for video in videos for argument in ("--footage", video)]
    done = run(tiny_bundle, *footage, "--out", tmp_path / "crops.npz", "--limit", 20)
    assert done.returncode == 0, done.stderr
    assert "the bundle's weights are made up" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--out", "O.npz"), 2, "--footage"),
        (("--footage", "V"), 2, "--out"),
        (("--footage", "V", "--out", "crops.jpg"), 1, "ends in .npz"),
        (("--footage", "V", "--out", "nowhere/O.npz"), 1, "there is no folder"),
        (("--footage", "V", "--out", "O.npz", "--sheet", "S.gif"), 1, "S.gif cannot be written as a picture"),
        (("--footage", "V", "--out", "O.npz", "--limit", "19"), 2, "--limit"),
        (("--footage", "V", "--out", "O.npz", "--seed", "-1"), 2, "--seed"),
        (("--footage", "absent.mp4", "--out", "O.npz"), 1, "absent.mp4 does not exist"),
        (("--footage", "V@1,2,3", "--out", "O.npz"), 1, "has no box after the @"),
        (("nowhere", "--footage", "V", "--out", "O.npz"), 1, "ostrack-export build"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    arguments: tuple[str, ...], code: int, words: str, videos: list[Path], tmp_path: Path
) -> None:
    places = [str(videos[0]) + a[1:] if a.startswith("V") else a for a in arguments]
    places = [str(tmp_path / a) if a.endswith((".npz", ".gif", ".jpg")) else a for a in places]
    done = run(*places)
    sentence = [line for line in done.stderr.splitlines() if not line.startswith("no bundle given")]
    assert done.returncode == code
    assert len(sentence) == 1
    assert sentence[0].startswith("error: ")
    assert words in sentence[0]
    assert list(tmp_path.iterdir()) == []


def test_too_little_footage_leaves_no_file(tmp_path: Path) -> None:
    Scene(240, 180, frames=8).write_video(tmp_path / "short.avi")
    done = run("--footage", tmp_path / "short.avi", "--out", tmp_path / "crops.npz", "--sheet", tmp_path / "s.png")
    assert done.returncode == 1
    assert "too few different crops" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["short.avi", "short.groundtruth.txt"]
