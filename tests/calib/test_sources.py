"""Footage as the command line names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.calib.sources import open_sources
from ostrack_edge.datasets.boxes import truth_path
from ostrack_edge.datasets.scene import Scene
from ostrack_edge.runtime.errors import FootageError, InputError
from ostrack_edge.runtime.opencv import cv2

SCENE = Scene(160, 120, frames=6)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """With its truth beside it."""
    SCENE.write_video(tmp_path / "clip.avi")
    return tmp_path / "clip.avi"


@pytest.fixture
def bare_video(video: Path) -> Path:
    truth_path(video).unlink()
    return video


def folder(root: Path, name: str, truth: bool = True, inside: str = "img") -> Path:
    images = root / name / inside
    images.mkdir(parents=True)
    for i in range(len(SCENE)):
        cv2.imwrite(str(images / f"{i}.png"), SCENE.frame(i))
    if truth:
        lines = [",".join(map(str, SCENE.box(i))) for i in range(len(SCENE))]
        (root / name / "groundtruth.txt").write_text("\n".join(lines))
    return root / name


def test_a_video_with_its_truth(video: Path) -> None:
    (sequence,) = open_sources([str(video)])
    assert (sequence.name, len(sequence), sequence.hidden) == ("clip", 6, False)
    np.testing.assert_allclose(sequence.truth[3], SCENE.box(3), atol=1e-3)


def test_a_video_and_a_box(bare_video: Path) -> None:
    (sequence,) = open_sources([f"{bare_video}@20,30,40.5,50"])
    assert (sequence.name, len(sequence), sequence.hidden) == ("clip", 6, True)
    assert sequence.first_box == (20, 30, 40.5, 50)
    assert sequence.frames[5].shape == (120, 160, 3)


@pytest.mark.parametrize("inside", ["img", ""])
def test_a_folder_and_a_box(tmp_path: Path, inside: str) -> None:
    place = folder(tmp_path, "walk.v2", truth=False, inside=inside)
    (sequence,) = open_sources([f"{place}@20,30,40,50"])
    assert (sequence.name, len(sequence), sequence.hidden) == ("walk.v2", 6, True)
    np.testing.assert_array_equal(sequence.frames[2], SCENE.frame(2))


def test_folders_with_truth_one_or_several(tmp_path: Path) -> None:
    for name in ("walk", "run"):
        folder(tmp_path, name)
    for spec in (str(tmp_path), f"folders:{tmp_path}"):
        assert [s.name for s in open_sources([spec])] == ["run", "walk"]
    (sequence,) = open_sources([str(tmp_path / "walk")])
    assert not sequence.hidden


def test_sources_keep_their_order_and_count_once(video: Path, tmp_path: Path) -> None:
    place = folder(tmp_path, "walk")
    specs = [f"{video}@20,30,40,50", str(place), f"{video}@20,30,40,50", str(place)]
    assert [s.name for s in open_sources(specs)] == ["clip", "walk"]


def test_a_name_with_an_at_in_it(tmp_path: Path) -> None:
    place = folder(tmp_path, "walk@1,2,3,4")
    (sequence,) = open_sources([str(place)])
    assert (sequence.name, sequence.hidden) == ("walk@1,2,3,4", False)


def refused(spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        open_sources([spec])
    assert "\n" not in str(caught.value)


def test_footage_without_a_box_is_told_what_to_give(bare_video: Path, tmp_path: Path) -> None:
    refused(
        str(bare_video),
        FootageError,
        r"clip\.avi has no target box: write clip\.groundtruth\.txt beside it, or .+ clip\.avi@X,Y,W,H".replace(
            " clip", " .*clip"
        ),
    )
    for number, inside in enumerate(("img", "")):
        place = folder(tmp_path / str(number), "walk", truth=False, inside=inside)
        refused(str(place), FootageError, "walk has no target box: write groundtruth.txt beside the images, or .+@X,Y")


def test_boxes_that_are_none(bare_video: Path) -> None:
    refused(f"{bare_video}@20,30,0,50", InputError, "the start box of .*clip.avi is empty")
    refused(f"{bare_video}@20,30,nan,50", InputError, "not finite")
    refused(f"{bare_video}@160,30,40,50", InputError, "lies outside its frames of 160 x 120 pixels")
    for text in ("20,30,40", "20,30,40,5O", ""):
        refused(
            f"{bare_video}@{text}", InputError, r"has no box after the @: write four numbers, as in .*clip\.avi@120"
        )


def test_what_is_not_there_or_no_footage(tmp_path: Path) -> None:
    refused(f"{tmp_path}/absent.mp4", FootageError, r"absent\.mp4 does not exist")
    refused(f"{tmp_path}/absent.mp4@1,2,3,4", FootageError, r"absent\.mp4 does not exist; give footage to calibrate on")
    (tmp_path / "text.mp4").write_text("no video")
    for box in ("", "@1,2,3,4"):
        refused(f"{tmp_path}/text.mp4{box}", FootageError, "does not open as a video")
    (tmp_path / "empty").mkdir()
    refused(f"{tmp_path}/empty", FootageError, "laid out like no data set that is known")
    refused(f"{tmp_path}/empty@1,2,3,4", FootageError, "holds no images")


def test_a_video_that_is_cut_short(bare_video: Path) -> None:
    long = bare_video.with_name("long.avi")
    Scene(160, 120, frames=60).write_video(long)
    truth_path(long).unlink()
    long.write_bytes(long.read_bytes()[: long.stat().st_size // 2])
    with pytest.raises(FootageError, match=r"long\.avi"):
        open_sources([f"{long}@20,30,40,50"])
