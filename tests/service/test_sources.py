"""Sources: what an address means, and the real readers over pipes, files, HTTP and GStreamer."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge.datasets import Scene
from ostrack_edge.runtime.errors import FootageError, InputError, SourceError
from ostrack_edge.service.sources.address import source_from, without_password
from ostrack_edge.service.sources.base import BadFrameError, FrameReader
from ostrack_edge.service.sources.camera import CameraSource, CaptureFormat, CaptureReader, StreamSource
from ostrack_edge.service.sources.files import FileSource
from ostrack_edge.service.sources.gstreamer import GStreamerSource, LaunchReader, opencv_has_gstreamer
from ostrack_edge.service.sources.pipe import PipeBytes, RawReader, RawSource, Y4mReader
from ostrack_edge.service.sources.scene import Faults, SceneSource

# ---- addresses


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("v4l2:///dev/video0", CameraSource("/dev/video0")),
        ("/dev/video2", CameraSource("/dev/video2")),
        ("0", CameraSource("0")),
        (
            "v4l2:///dev/video0?format=MJPG&size=1280x720&rate=30",
            CameraSource("/dev/video0", CaptureFormat("MJPG", (1280, 720), 30.0)),
        ),
        ("rtsp://me:secret@cam/1", StreamSource("rtsp://me:secret@cam/1", "rtsp://me@cam/1")),
        ("clip.mp4", FileSource(Path("clip.mp4"))),
        ("file:///a%20b.mp4?speed=real&loop=1", FileSource(Path("/a b.mp4"), realtime=True, loop=True)),
        ("raw:-?size=64x48&format=rgb&rate=10", RawSource((64, 48), "rgb", 10.0)),
        ("gst:videotestsrc ! queue", GStreamerSource("videotestsrc ! queue")),
        ("scene:?size=320x240", SceneSource(320, 240)),
    ],
)
def test_addresses(address: str, source: object) -> None:
    assert source_from(address) == source


def test_a_csi_camera_is_a_pipeline() -> None:
    source = source_from("csi://1?size=1920x1080&rate=60")
    assert isinstance(source, GStreamerSource)
    assert "nvarguscamerasrc sensor-id=1" in source.pipeline
    assert "width=1920,height=1080,framerate=60/1" in source.pipeline
    assert source.name == "CSI camera 1"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ftp://somewhere", "of no known kind"),
        ("v4l2:///dev/video0?size=big", "width and height"),
        ("v4l2:///dev/video0?format=JPEG2000", "four letters"),
        ("v4l2:///dev/video0?rate=-1", "a number from 0"),
        ("v4l2:///dev/video0?colour=blue", "nothing is known of colour"),
        ("file:///clip.mp4?speed=slow", "one of full, real"),
        ("raw:-", "does not say the frames' size"),
        ("csi://left", "no sensor by its number"),
    ],
)
def test_addresses_that_mean_nothing(address: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        source_from(address)


def test_passwords_are_not_shown() -> None:
    assert without_password("rtsp://me:secret@cam:554/a?token=secret") == "rtsp://me@cam:554/a"
    assert source_from("rtsp://:secret@cam/a").name == "rtsp://@cam/a"


# ---- pipes


_FEEDING: dict[int, threading.Thread] = {}
"""By its number, the end of a pipe that a thread writes to, and closes."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    os.close(ends[0])
    feeding = _FEEDING.pop(ends[1], None)
    if feeding is None:
        with contextlib.suppress(OSError):
            os.close(ends[1])
    else:
        # Its number may be another file's by now: whoever was given it has closed it.
        feeding.join()


def fed(pipe: tuple[int, int], data: bytes) -> PipeBytes:
    """A pipe with `data` in it, written by another thread, then closed."""

    def feed() -> None:
        # The reader may have seen enough and gone.
        with contextlib.suppress(BrokenPipeError), os.fdopen(pipe[1], "wb") as end:
            end.write(data)

    _FEEDING[pipe[1]] = threading.Thread(target=feed)
    _FEEDING[pipe[1]].start()
    return PipeBytes(pipe[0], "the pipe", timeout=5)


@pytest.mark.parametrize("pixels", ["bgr", "rgb", "gray"])
def test_raw_frames(pipe: tuple[int, int], pixels: str) -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    gray = image[:, :, :1]
    sent = {"bgr": image, "rgb": image[:, :, ::-1], "gray": gray}[pixels]
    reader = RawReader(fed(pipe, sent.tobytes() * 2), (400, 300), pixels)
    for _ in range(2):
        grab = reader.read()
        assert grab is not None
        assert np.array_equal(grab.image, np.repeat(gray, 3, 2) if pixels == "gray" else image)
    assert reader.read() is None


def test_a_raw_frame_that_is_cut_short(pipe: tuple[int, int]) -> None:
    reader = RawReader(fed(pipe, bytes(1000)), (64, 48), "bgr")
    with pytest.raises(SourceError, match="ended after 1000 of a frame's 9216 bytes; is its size right"):
        reader.read()


def test_a_pipe_that_says_nothing(pipe: tuple[int, int]) -> None:
    with pytest.raises(SourceError, match=r"gave nothing for 0\.05 s"):
        RawReader(PipeBytes(pipe[0], "the pipe", timeout=0.05), (64, 48), "bgr").read()


def test_yuv4mpeg_and_a_size_that_changes(pipe: tuple[int, int]) -> None:
    stream = b""
    for size in ((64, 48), (32, 16)):
        blue = np.full((size[1], size[0], 3), (200, 40, 40), np.uint8)
        yuv = cv2.cvtColor(blue, cv2.COLOR_BGR2YUV_I420)
        stream += b"YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C420jpeg\nFRAME\n" % size + yuv.tobytes()
    reader = Y4mReader(fed(pipe, stream), "the pipe")
    for size in ((64, 48), (32, 16)):
        grab = reader.read()
        assert grab is not None
        assert grab.image.shape == (size[1], size[0], 3)
        assert np.abs(grab.image.astype(int) - (200, 40, 40)).max() < 6
    assert reader.read() is None


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"RIFF\n", "no YUV4MPEG2"),
        (b"x" * 1000, "no YUV4MPEG2"),
        (b"YUV4MPEG2 W63 H48 C420\nFRAME\n", "both sides must be even"),
        (b"YUV4MPEG2 W999999 H48\nFRAME\n", "both sides must be even"),
        (b"YUV4MPEG2 W64 H48 C444\nFRAME\n", "another kind than 4:2:0"),
    ],
)
def test_streams_that_are_none(pipe: tuple[int, int], stream: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        Y4mReader(fed(pipe, stream), "the pipe").read()


# ---- files, HTTP, GStreamer, cameras


def test_a_file_is_read_to_its_end_and_again(clip: Path) -> None:
    reader = FileSource(clip).open()
    frames = [grab.image for grab in iter(reader.read, None)]
    assert len(frames) == 12
    looped = FileSource(clip, loop=True).open()
    assert all(looped.read() is not None for _ in range(30))
    looped.close()
    with pytest.raises(FootageError, match="does not exist"):
        FileSource(Path("gone.mp4")).open()


def test_in_real_time_frames_are_a_frame_s_time_apart(clip: Path) -> None:
    reader = FileSource(clip, realtime=True).open()
    stamps = [grab.captured for grab in iter(reader.read, None)]
    # Never sooner; how much later is the machine's affair.
    assert stamps[-1] - stamps[0] >= 11 / 25 - 0.02


def read_many(reader: FrameReader) -> None:
    for _ in range(20):
        reader.read()


class _Mjpeg(http.server.BaseHTTPRequestHandler):
    frames = 8

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for i in range(self.frames):
            _, data = cv2.imencode(".jpg", Scene(160, 120, frames=8).frame(i))
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data))
            self.wfile.write(data.tobytes() + b"\r\n")

    def log_message(self, format: str, *args: object) -> None: ...


def test_a_stream_over_http() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Mjpeg) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            source = source_from(f"http://127.0.0.1:{server.server_address[1]}/stream.mjpg")
            reader = source.open()
            grab = reader.read()
            assert grab is not None
            assert grab.image.shape == (120, 160, 3)
            with pytest.raises(SourceError, match="gives no more frames"):
                read_many(reader)
            reader.close()
        finally:
            server.shutdown()
            thread.join()
    with pytest.raises(SourceError, match="does not open; check the address"):
        source.open()


def _need_gstreamer() -> None:
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("needs gst-launch-1.0, which no Python package brings")


def test_a_pipeline_in_a_process_of_its_own() -> None:
    _need_gstreamer()
    pipeline = "videotestsrc num-buffers=5 pattern=red ! video/x-raw,width=160,height=120,framerate=25/1"
    reader = LaunchReader(pipeline, "test", live=False)
    grabs = list(iter(reader.read, None))
    reader.close()
    assert [g.image.shape for g in grabs] == [(120, 160, 3)] * 5
    assert np.abs(grabs[0].image.astype(int) - (0, 0, 255)).max() < 6


def test_pipelines_that_fail() -> None:
    _need_gstreamer()
    for pipeline, said in (("nosuchelement", "nosuchelement"), ("videotestsrc num-buffers=1", "gives no more frames")):
        reader = LaunchReader(pipeline, "test", live=True)
        with pytest.raises(SourceError, match=said):
            read_many(reader)
        reader.close()
    with pytest.raises(SourceError, match="cannot be read as a pipeline"):
        LaunchReader("videotestsrc name='", "test", live=True)


def test_a_pipeline_ends_with_its_reader() -> None:
    _need_gstreamer()
    reader = LaunchReader("videotestsrc is-live=true ! video/x-raw,width=64,height=48", "test", live=True)
    assert reader.read() is not None
    reader.close()
    reader.close()
    assert reader._process.returncode is not None


def test_without_gstreamer_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    if opencv_has_gstreamer():
        pytest.skip("this OpenCV has GStreamer, as on a Jetson")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match="apt install gstreamer"):
        GStreamerSource("videotestsrc").open()


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="camera /dev/video97 does not open"):
        CameraSource("/dev/video97").open()


def test_a_real_camera() -> None:
    devices = sorted(Path("/dev").glob("video*"))
    if not devices:
        pytest.skip("needs a camera device")
    reader = CameraSource(str(devices[0])).open()
    grab = reader.read()
    reader.close()
    assert grab.image.ndim == 3


class _Driver:
    """Stands in for `cv2.VideoCapture`."""

    def __init__(self, stamp_ms: float, image: np.ndarray | None) -> None:
        self._stamp, self._image = stamp_ms, image

    def grab(self) -> bool:
        return True

    def get(self, _: int) -> float:
        return self._stamp

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        return self._image is not None, self._image


def test_a_driver_s_time_is_taken_where_it_can_be_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    image = np.zeros((4, 4), np.uint8)
    for stamp, expected in ((999_990.0, 999.99), (5.0, 1000.0), (1_700_000_000_000.0, 1000.0)):
        grab = CaptureReader(_Driver(stamp, image), "fake", driver_stamps=True).read()  # type: ignore[arg-type]
        assert grab.captured == pytest.approx(expected)
        assert grab.image.shape == (4, 4, 3)
    with pytest.raises(BadFrameError):
        CaptureReader(_Driver(0, None), "fake").read()  # type: ignore[arg-type]


def test_the_rendered_camera_has_the_faults_of_cameras() -> None:
    faults = Faults(
        stall_every=50,
        stall_seconds=0,
        disconnect_every=23,
        resize_every=30,
        corrupt_every=11,
        black_every=40,
        black_frames=3,
        frozen_every=25,
        frozen_frames=4,
    )
    source = SceneSource(160, 120, rate=0, faults=faults, frames=100, length=10)
    reader, seen = source.open(), {"failed": 0, "bad": 0, "small": 0, "black": 0}
    while True:
        try:
            grab = reader.read()
        except SourceError:
            seen["failed"] += 1
        except BadFrameError:
            seen["bad"] += 1
        else:
            if grab is None:
                break
            seen["small"] += grab.image.shape[0] == 90
            seen["black"] += not grab.image.any()
    happened = source.camera.happened
    assert (seen["failed"], seen["bad"]) == (4, happened["corrupt"])
    assert seen["small"] > 20
    assert seen["black"] == 6
    assert happened["frozen"] == 3


def test_raw_frames_on_the_command_s_stdin(tiny_bundle: Path, tmp_path: Path) -> None:
    scene = Scene(160, 120, frames=6)
    data = b"".join(scene.frame(i).tobytes() for i in range(6))
    start = ",".join(f"{v:.1f}" for v in scene.box(0))
    code = "from ostrack_edge.service.cli import main; main()"
    command = [sys.executable, "-W", "error", "-c", code, "camera", "raw:-?size=160x120", "--no-window", "--bundle"]
    command += [str(tiny_bundle), "--init", start, "--results", str(tmp_path / "r.csv"), "--threads", "1"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 2 <= len((tmp_path / "r.csv").read_text().splitlines()) <= 7
