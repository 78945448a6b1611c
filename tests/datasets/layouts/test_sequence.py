import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.datasets import Scene
from ostrack_edge.datasets.images import image_names, read_image
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.datasets.sequence import Dataset, ImageFrames, Sequence, VideoFrames
from ostrack_edge.runtime.errors import FootageError

NAMES = ["1.png", "2.png", "10.png"]


@pytest.fixture
def frames(tmp_path: Path, images) -> ImageFrames:
    images(tmp_path / "img", NAMES)
    return ImageFrames(tmp_path / "img", NAMES)


@pytest.fixture
def clip(tmp_path: Path) -> VideoFrames:
    Scene(64, 64, frames=8).write_video(tmp_path / "clip.avi")
    return VideoFrames(tmp_path / "clip.avi", 8)


BOXES = np.tile([1.0, 2, 3, 4], (3, 1))
PRESENT = np.zeros(3, bool)


def sequence(
    frames: ImageFrames, name: str = "bag", truth: np.ndarray = BOXES, absent: np.ndarray = PRESENT
) -> Sequence:
    return Sequence(name, "folders", None, frames, truth.copy(), absent.copy())


# ---- frames


def test_image_frames(frames: ImageFrames, greys) -> None:
    assert (len(frames), frames.size) == (3, (32, 24))
    assert (frames[1].shape, frames[1].dtype) == ((24, 32, 3), np.uint8)
    assert greys([frames[2], frames[0], frames[-1], frames[-3]]) == [2, 0, 2, 0]
    assert greys(list(frames)) == [0, 1, 2]


@pytest.mark.parametrize("index", [3, -4])
def test_frames_end(frames: ImageFrames, index: int) -> None:
    with pytest.raises(IndexError, match=f"frame {index} of 3"):
        frames[index]


def test_frames_are_read_when_they_are_asked_for(frames: ImageFrames) -> None:
    (frames.folder / "2.png").unlink()
    assert frames[2].shape == (24, 32, 3)
    with pytest.raises(FootageError, match=r"2\.png cannot be read: No such file"):
        frames[1]
    frames.path(0).write_bytes(b"no picture")
    with pytest.raises(FootageError, match=r"1\.png is no image that can be decoded"):
        frames[0]


def test_grey_pictures_have_three_channels(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "1.png"), np.full((24, 32), 50, np.uint8))
    assert ImageFrames(tmp_path, ["1.png"])[0].shape == (24, 32, 3)


def test_a_jpeg_that_ends_early_is_refused_unless_allowed(tmp_path: Path, lines) -> None:
    path = tmp_path / "img" / "1.jpg"
    path.parent.mkdir()
    assert cv2.imwrite(str(path), Scene(128, 96).frame(0))
    path.write_bytes(path.read_bytes()[:-500])
    lines(tmp_path / "groundtruth.txt", ["1,2,3,4"])
    with pytest.raises(FootageError, match=r"1\.jpg is cut short: it has no end-of-image mark; get a whole copy$"):
        open_dataset(tmp_path).sequences[0].frames[0]
    assert open_dataset(tmp_path, allow_truncated=True).sequences[0].frames[0].shape == (96, 128, 3)
    with pytest.raises(FootageError, match=r"mark; ask again$"):
        read_image(path, remedy="ask again")


def test_image_names(tmp_path: Path) -> None:
    for name in ("2.jpg", "10.JPEG", "1.png", "01.png", "._1.png", "notes.txt", ".png"):
        (tmp_path / name).touch()
    assert image_names(tmp_path) == ["01.png", "1.png", "2.jpg", "10.JPEG"]
    assert image_names(tmp_path / "none") == []


@pytest.mark.parametrize(
    "names",
    [
        ["0002.jpg", "0010.jpg"],
        ["2.jpg", "10.jpg"],
        ["002.jpeg", "0010.jpg"],
        ["a2.png", "a10.png"],
        ["a2b.png", "a10.png"],
        ["a.1.png", "b.png"],
    ],
)
def test_the_order_of_images(tmp_path: Path, names: list[str]) -> None:
    for name in reversed(names):
        (tmp_path / name).touch()
    assert image_names(tmp_path) == names


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(FootageError, match="cannot be read: Permission denied"):
        image_names(tmp_path)


def test_video_frames_in_any_order(clip: VideoFrames) -> None:
    in_order = [frame.copy() for frame in clip]
    assert len(in_order) == 8
    assert not np.array_equal(in_order[2], in_order[5])
    for index in (5, 5, 2, 7, 0, -1):
        assert np.array_equal(clip[index], in_order[index])


def test_a_video_frame_is_the_callers_own(clip: VideoFrames) -> None:
    clip[0][:] = 0
    assert clip[0].any()


def test_a_video_that_ends_early(clip: VideoFrames) -> None:
    longer = VideoFrames(clip.path, 9)
    assert longer[7].any()
    with pytest.raises(FootageError, match=r"clip\.avi ends after 8 of 9 frames"):
        longer[8]


def test_frames_travel_to_other_processes(frames: ImageFrames, clip: VideoFrames) -> None:
    clip[3]
    for source in (frames, clip):
        copy = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own
        assert (len(copy), copy.size) == (len(source), source.size)
        assert np.array_equal(copy[1], source[1])


# ---- sequences and data sets


def test_a_sequence(frames: ImageFrames) -> None:
    one = sequence(frames)
    assert (len(one), one.size, one.first_box, one.hidden) == (3, (32, 24), Box(1, 2, 3, 4), False)
    assert (one.polygons, one.anchors, one.fps, one.origin) == (None, None, 25.0, 0)
    with pytest.raises(ValueError, match="read-only"):
        one.truth[0] = 0


@pytest.mark.parametrize("truth", [np.ones((2, 4)), np.ones((4, 4)), np.ones((3, 5)), np.ones(4)])
def test_truth_that_does_not_fit_is_refused(frames: ImageFrames, truth: np.ndarray) -> None:
    with pytest.raises(FootageError, match="sequence bag of folders has 3 frames and truth of"):
        sequence(frames, truth=truth)


def test_flags_that_do_not_fit_are_refused(frames: ImageFrames) -> None:
    with pytest.raises(FootageError, match="3 boxes and 2 flags of absence"):
        sequence(frames, absent=np.zeros(2, bool))


def test_a_sequence_without_frames_is_refused(frames: ImageFrames) -> None:
    with pytest.raises(FootageError, match="has no frames"):
        sequence(ImageFrames(frames.folder, []))


def test_two_sequences_of_one_name_are_refused(frames: ImageFrames, tmp_path: Path) -> None:
    with pytest.raises(FootageError, match="two sequences of the name a"):
        Dataset("folders", tmp_path, (sequence(frames, "a"), sequence(frames, "a")))


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\0"])
def test_a_name_that_cannot_be_a_files_is_refused(frames: ImageFrames, tmp_path: Path, name: str) -> None:
    with pytest.raises(FootageError, match="whose name cannot be a file's"):
        Dataset("folders", tmp_path, (sequence(frames, name),))
