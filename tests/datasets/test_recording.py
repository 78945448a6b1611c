import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.datasets import open_footage, record_video
from ostrack_edge.runtime.errors import FootageError, OutputError
from ostrack_edge.runtime.files import check_place


def grey(level: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), level, np.uint8)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "CLIP.AVI"])
@pytest.mark.parametrize("fps", [0.5, 24000 / 1001, 25, 60])
def test_frames_and_rate_read_back(tmp_path: Path, name: str, fps: float) -> None:
    path = tmp_path / name
    with record_video(path, (64, 48), fps) as recording:
        for level in (0, 120, 240):
            recording.write(grey(level))
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with open_footage(path) as footage:
        assert footage.fps == pytest.approx(fps, rel=1e-3)
        assert [round(float(frame.mean()) / 120) for frame in footage] == [0, 1, 2]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_an_odd_last_row_and_column_are_left_out(tmp_path: Path, name: str) -> None:
    with record_video(tmp_path / name, (65, 49), 25) as recording:
        recording.write(grey(100, (65, 49)))
    with open_footage(tmp_path / name) as footage:
        assert footage.size == (64, 48)


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"the old one")
    with pytest.raises(ZeroDivisionError), record_video(path, (64, 48), 25) as recording:
        recording.write(grey(1 // len(tmp_path.suffix)))
    assert path.read_bytes() == b"the old one"
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("frame", [grey(1, (48, 64)), grey(1)[:, :, 0], grey(1).astype(np.float32)])
def test_a_frame_that_does_not_fit_is_refused(tmp_path: Path, frame: np.ndarray) -> None:
    with (
        pytest.raises(FootageError, match=r"does not fit .*clip\.mp4"),
        record_video(tmp_path / "clip.mp4", (64, 48), 25) as recording,
    ):
        recording.write(frame)


@pytest.mark.parametrize("name", ["clip", "clip.mkv", "clip.mp4.txt"])
def test_an_unknown_extension_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FootageError, match=r"ends in \.mp4 or \.avi"), record_video(tmp_path / name, (64, 48), 25):
        pass


def test_a_rate_that_the_container_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match="opened no writer"), record_video(tmp_path / "clip.mp4", (64, 48), 1e6):
        pass
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        check_place(tmp_path / "none" / "clip.mp4")
    with pytest.raises(OutputError, match="is a folder"):
        check_place(tmp_path)
    check_place(tmp_path / "clip.mp4")
    # Asked through os.access, since a test that runs as root may write everywhere.
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="is not writable"):
        check_place(tmp_path / "clip.mp4")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from ostrack_edge.datasets import record_video
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0)
with record_video(Path(sys.argv[1]), (64, 48), 25) as recording:
    for _ in range(60):
        recording.write(noise.integers(0, 256, (48, 64, 3), dtype=np.uint8))
"""


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_a_disk_that_fills_up_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"the old one")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "of 60 frames reached the disk; is it full?" in done.stderr
    assert path.read_bytes() == b"the old one"
    assert [p.name for p in tmp_path.iterdir()] == [name]
