from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.datasets import Scene, open_footage, record_video
from ostrack_edge.datasets.footage import DEFAULT_FPS
from ostrack_edge.runtime.errors import FootageError

SIZE = (64, 48)


def picture(level: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), level, np.uint8)


def save(path: Path, frame: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), frame)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 40 frames with its ground truth."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    Scene(128, 96, frames=40).write_video(path)
    return path


def cut(clip: Path, folder: Path, share: float) -> Path:
    data = clip.read_bytes()
    path = folder / "cut.avi"
    path.write_bytes(data[: int(len(data) * share)])
    return path


# ---- video files


def test_a_video(clip: Path) -> None:
    scene = Scene(128, 96, frames=40)
    with open_footage(clip) as footage:
        assert (footage.size, footage.fps, footage.frame_count) == ((128, 96), 25.0, 40)
        frames = list(footage)
        assert len(frames) == 40
        assert all(f.shape == (96, 128, 3) and f.dtype == np.uint8 for f in frames)
        assert np.abs(frames[39].astype(int) - scene.frame(39)).mean() < 6
        assert footage.truth is not None
        assert tuple(footage.truth[39]) == pytest.approx(scene.box(39), abs=1e-4)


def test_iterating_again_begins_again(clip: Path) -> None:
    with open_footage(clip) as footage:
        first = next(iter(footage))
        halfway = iter(footage)
        for _ in range(20):
            next(halfway)
        again = list(footage)
        assert len(again) == 40
        assert np.array_equal(again[0], first)


def test_leaving_the_block_ends_the_iteration(clip: Path) -> None:
    with open_footage(clip) as footage:
        frames = iter(footage)
        next(frames)
    assert list(frames) == []


@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_video_that_ends_early_is_refused_at_its_end(clip: Path, tmp_path: Path, share: float) -> None:
    path = cut(clip, tmp_path, share)
    seen: list[np.ndarray] = []
    with open_footage(path) as footage, pytest.raises(FootageError, match=r"cut\.avi ends after \d+ of") as caught:
        seen.extend(footage)
    assert 0 < len(seen) < 38
    assert f"after {len(seen)} of the 40 frames" in str(caught.value)
    assert "--allow-truncated" in str(caught.value)


def test_a_truncated_video_may_be_allowed(clip: Path, tmp_path: Path) -> None:
    with open_footage(cut(clip, tmp_path, 0.5), allow_truncated=True) as footage:
        count = sum(1 for _ in footage)
        assert footage.frame_count == 40
    assert 10 < count < 30


class FakeCapture:
    """Announces `announced` frames and gives `held`; every frame from number `grows_at` on is larger."""

    announced = held = 0
    grows_at = 10**6

    def __init__(self, *_: object) -> None:
        self.given = 0

    def isOpened(self) -> bool:  # noqa: N802 - its name in OpenCV
        return True

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: 0.0, cv2.CAP_PROP_FRAME_COUNT: float(self.announced)}[what]

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.given += 1
        if self.given > self.held:
            return False, None
        return True, picture(0, SIZE if self.given <= self.grows_at else (80, 60))

    def release(self) -> None:
        self.held = 0


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeCapture]:
    kind = type("OneFake", (FakeCapture,), {})
    monkeypatch.setattr(cv2, "VideoCapture", kind)
    return kind


@pytest.mark.parametrize(
    ("announced", "held", "whole"),
    [(100, 100, True), (100, 98, True), (100, 97, False), (1000, 990, True), (1000, 989, False), (3, 1, True)],
)
def test_a_small_difference_is_an_estimate(
    fake: type[FakeCapture], tmp_path: Path, announced: int, held: int, whole: bool
) -> None:
    (tmp_path / "clip.avi").touch()
    fake.announced, fake.held = announced, held
    footage = open_footage(tmp_path / "clip.avi")
    if whole:
        assert sum(1 for _ in footage) == held
    else:
        with pytest.raises(FootageError, match=f"ends after {held} of the {announced}"):
            list(footage)


@pytest.mark.parametrize("announced", [-1, 0, -(2**63)])
def test_a_video_that_announces_nothing(fake: type[FakeCapture], tmp_path: Path, announced: int) -> None:
    (tmp_path / "clip.avi").touch()
    fake.announced, fake.held = announced, 5
    footage = open_footage(tmp_path / "clip.avi")
    assert footage.frame_count is None
    assert footage.fps == DEFAULT_FPS
    assert len(list(footage)) == 5


def test_a_video_whose_frames_change_size_is_refused(fake: type[FakeCapture], tmp_path: Path) -> None:
    (tmp_path / "clip.avi").touch()
    fake.announced, fake.held, fake.grows_at = 9, 9, 4
    with pytest.raises(FootageError, match="frame 5 is 80 x 60 pixels, the first frame 64 x 48"):
        list(open_footage(tmp_path / "clip.avi"))


def test_a_video_without_frames_is_refused(fake: type[FakeCapture], tmp_path: Path) -> None:
    (tmp_path / "clip.avi").touch()
    with pytest.raises(FootageError, match="holds no frame"):
        open_footage(tmp_path / "clip.avi")


@pytest.mark.parametrize("content", [b"", b"hello", b"RIFF\x00\x00\x00\x00AVI "])
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(content)
    with pytest.raises(FootageError, match=r"clip\.avi (does not open as a video|holds no frame)"):
        open_footage(path)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"gone\.mp4 does not exist"):
        open_footage(tmp_path / "gone.mp4")


# ---- folders of images


@pytest.mark.parametrize("inside", [".", "img"])
def test_images_come_in_natural_order(tmp_path: Path, inside: str) -> None:
    for number in (1, 2, 10, 20, 3):
        save(tmp_path / inside / f"frame{number}.png", picture(number))
    (tmp_path / inside / ".frame4.png").write_bytes(b"a file manager's preview")
    (tmp_path / inside / "notes.txt").write_text("no image")
    with open_footage(tmp_path) as footage:
        assert (footage.size, footage.fps, footage.frame_count) == (SIZE, DEFAULT_FPS, 5)
        assert [int(frame[0, 0, 0]) for frame in footage] == [1, 2, 3, 10, 20]
        assert footage.truth is None


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".bmp", ".webp"])
def test_kinds_of_images(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"1{suffix}", picture(90))
    (frame,) = open_footage(tmp_path)
    assert frame.shape == (48, 64, 3)
    assert abs(float(frame.mean()) - 90) < 3


def test_grey_alpha_and_16_bit_images_come_as_bgr(tmp_path: Path) -> None:
    save(tmp_path / "1.png", picture(77)[:, :, 0])
    save(tmp_path / "2.png", np.dstack([picture(77), np.zeros((48, 64), np.uint8)]))
    save(tmp_path / "3.png", np.full((48, 64, 3), 77 * 257, np.uint16))
    for frame in open_footage(tmp_path):
        assert np.array_equal(frame, picture(77))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_damaged_image_is_named(tmp_path: Path, suffix: str) -> None:
    frame = Scene(128, 96).frame(0)
    for number in (1, 2, 3):
        save(tmp_path / f"{number}{suffix}", frame)
    broken = tmp_path / f"2{suffix}"
    broken.write_bytes(broken.read_bytes()[:-400])
    with open_footage(tmp_path) as footage, pytest.raises(FootageError, match=rf"2\{suffix} is (cut short|no image)"):
        list(footage)


@pytest.mark.parametrize("content", [b"", b"not an image at all"])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.jpg").write_bytes(content)
    with pytest.raises(FootageError, match=r"1\.jpg is no image"):
        open_footage(tmp_path)


def test_a_jpeg_that_ends_early_may_be_allowed(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg", Scene(128, 96).frame(0))
    data = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(FootageError, match="cut short"):
        open_footage(tmp_path)
    (frame,) = open_footage(tmp_path, allow_truncated=True)
    assert frame.shape == (96, 128, 3)


def test_bytes_after_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg", picture(50))
    with (tmp_path / "1.jpg").open("ab") as file:
        file.write(b"\x00" * 100)
    assert len(list(open_footage(tmp_path))) == 1


def test_images_of_changing_size_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "1.png", picture(1))
    save(tmp_path / "2.png", picture(2, (48, 64)))
    with open_footage(tmp_path) as footage, pytest.raises(FootageError, match=r"2\.png is 48 x 64 pixels"):
        list(footage)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FootageError, match=r"holds no images, neither itself nor in img/; known are: \.bmp, "):
        open_footage(tmp_path)


# ---- ground truth


def test_the_truth_of_a_video(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    with record_video(path, SIZE, 25) as recording:
        recording.write(picture(1))
    assert open_footage(path).truth is None
    (tmp_path / "groundtruth.txt").write_text("1,2,3,4\n")
    assert open_footage(path).truth == [Box(1, 2, 3, 4)]
    (tmp_path / "clip.groundtruth.txt").write_text("5,6,7,8\n")
    assert open_footage(path).truth == [Box(5, 6, 7, 8)]


def test_the_truth_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "img" / "1.png", picture(1))
    (tmp_path / "groundtruth.txt").write_text("1,2,3,4\n")
    assert open_footage(tmp_path).truth == [Box(1, 2, 3, 4)]
    assert open_footage(tmp_path / "img").truth == [Box(1, 2, 3, 4)]
    monkeypatch.chdir(tmp_path / "img")
    assert open_footage(".").truth == [Box(1, 2, 3, 4)]
    (tmp_path / "img").rename(tmp_path / "frames")
    assert open_footage(tmp_path / "frames").truth is None


def test_a_damaged_truth_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "1.png", picture(1))
    (tmp_path / "groundtruth.txt").write_text("1,2\n")
    footage = open_footage(tmp_path)
    assert len(list(footage)) == 1
    with pytest.raises(FootageError, match="line 1"):
        _ = footage.truth


# ---- real footage


def test_real_videos(shared: Path) -> None:
    for path in sorted((shared / "video").glob("*.[am][vp][i4]")):
        with open_footage(path) as footage:
            first = next(iter(footage))
            assert first.shape == (footage.size[1], footage.size[0], 3)
            assert footage.frame_count is not None
            assert footage.frame_count > 100
    with open_footage(shared / "video" / "bag.avi") as footage:
        assert footage.truth is not None
        assert len(footage.truth) == footage.frame_count == sum(1 for _ in footage)


def test_real_sequences(shared: Path) -> None:
    folders = sorted((shared / "sequences").iterdir())
    assert folders
    for folder in folders:
        with open_footage(folder) as footage:
            assert footage.truth is not None
            assert len(footage.truth) == footage.frame_count
            assert next(iter(footage)).shape == (footage.size[1], footage.size[0], 3)
