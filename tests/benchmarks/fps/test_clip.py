from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.fps.clip import MOST_FRAMES, fill_boxes, make_clip, write_clip
from ostrack_edge.benchmarks.fps.timing import FrameReader
from ostrack_edge.datasets.scene import Scene
from ostrack_edge.runtime.errors import BenchmarkError, FootageError


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((6, 8, 3), i, np.uint8) for i in range(count)]


def test_frames_come_back_as_they_went_in(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 6, 16, 3), np.uint8)
    clip = write_clip([frame[:, ::2] for frame in noise], [(1, 1, 4, 4)], tmp_path, "noise")
    assert (clip.width, clip.height, clip.count, clip.source) == (8, 6, 3, "noise")
    with FrameReader(clip) as reader:
        for i in (2, 0, 1):
            assert np.array_equal(reader.read(i), noise[i][:, ::2])
        with pytest.raises(BenchmarkError, match="ends before frame 3"):
            reader.read(3)


def test_boxes_are_the_truth_or_the_last_usable_one() -> None:
    nan = math.nan
    truth = [(1, 1, 4, 4), (nan, nan, nan, nan), (2, 2, 0, 4), (90, 2, 4, 4), (3, 3, 2, 2)]
    boxes = fill_boxes(truth, 7, 20, 10)
    assert boxes == [(1, 1, 4, 4)] * 4 + [(3, 3, 2, 2)] * 3


def test_without_truth_the_centre_fifth() -> None:
    assert fill_boxes((), 2, 100, 50) == [(40, 20, 20, 10)] * 2
    assert fill_boxes([(math.nan,) * 4], 1, 100, 50) == [(40, 20, 20, 10)]


def test_the_rendered_scene_with_its_truth(tmp_path: Path) -> None:
    clip = make_clip(None, 3, tmp_path)
    scene = Scene(frames=MOST_FRAMES)
    assert (clip.count, clip.source) == (4, "rendered scene")
    assert clip.boxes == tuple(tuple(scene.box(i)) for i in range(4))
    with FrameReader(clip) as reader:
        assert np.array_equal(reader.read(2), scene.frame(2))


def test_a_folder_of_images_with_truth_beside_it(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="writing images needs OpenCV")
    folder = tmp_path / "sequence"
    (folder / "img").mkdir(parents=True)
    for i, picture in enumerate(pictures(3)):
        cv2.imwrite(str(folder / "img" / f"{i:04}.png"), picture)
    (folder / "groundtruth.txt").write_text("1,1,3,3\n2,2,3,3\n2,1,3,3\n")
    clip = make_clip(folder, 1, tmp_path)
    assert clip.count == 2
    assert clip.boxes == ((1, 1, 3, 3), (2, 2, 3, 3))
    assert clip.source == str(folder)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames(tmp_path: Path, count: int) -> None:
    with pytest.raises(BenchmarkError, match=f"has {count} frame"):
        write_clip(pictures(count), (), tmp_path, "a video")


def test_frames_of_two_sizes(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="frame 1 is 4x6, the first is 8x6"):
        write_clip([pictures(1)[0], pictures(1)[0][:, :4]], (), tmp_path, "a video")


def test_a_video_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"nothing\.mp4"):
        make_clip(tmp_path / "nothing.mp4", 3, tmp_path)
