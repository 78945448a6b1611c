"""Any GStreamer pipeline: through OpenCV where that was built with GStreamer, as on a Jetson, otherwise through a
`gst-launch-1.0` of its own, whose frames come through a pipe."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import threading
from collections import deque
from dataclasses import dataclass

from ...runtime.errors import SourceError
from ...runtime.opencv import cv2
from .base import FrameReader, Grab
from .camera import CaptureReader
from .pipe import PipeBytes, Y4mReader

_LAUNCH = "gst-launch-1.0"
_INTO_OPENCV = "videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
_INTO_PIPE = "videoconvert ! video/x-raw,format=I420 ! y4menc ! fdsink fd=1 sync=false"
_CSI = (
    "nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM),width={width},height={height},framerate={rate}/1 ! "
    "nvvidconv ! video/x-raw,format=BGRx"
)


def opencv_has_gstreamer() -> bool:
    """Whether this OpenCV was built with GStreamer."""
    return re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()) is not None


def csi_pipeline(sensor: int, size: tuple[int, int], rate: float) -> str:
    """The pipeline of a Jetson's CSI camera."""
    return _CSI.format(sensor=sensor, width=size[0], height=size[1], rate=round(rate))


@dataclass(frozen=True)
class GStreamerSource:
    """pipeline: up to, and without, the sink, such as `videotestsrc ! video/x-raw,width=640`; shown: its name. live:
    an end is a failure, after which it is started again."""

    pipeline: str
    shown: str = "GStreamer pipeline"
    live: bool = True
    fps: float | None = None

    @property
    def name(self) -> str:
        return self.shown

    def open(self) -> FrameReader:
        if not opencv_has_gstreamer():
            return LaunchReader(self.pipeline, self.shown, self.live)
        capture = cv2.VideoCapture(f"{self.pipeline} ! {_INTO_OPENCV}", cv2.CAP_GSTREAMER)
        if not capture.isOpened():
            capture.release()
            raise SourceError(f"{self.shown} does not start; try it with: {_LAUNCH} PIPELINE ! fakesink")
        return CaptureReader(capture, self.shown)


class LaunchReader:
    """Runs the pipeline in a child process. It ends with the reader, or when its pipe breaks."""

    def __init__(self, pipeline: str, name: str, live: bool) -> None:
        """Raises SourceError where there is no GStreamer, or the pipeline's quotes do not match."""
        if shutil.which(_LAUNCH) is None:
            raise SourceError(
                f"{name} needs GStreamer: neither was OpenCV built with it nor is there {_LAUNCH}; "
                "on Debian and Ubuntu: apt install gstreamer1.0-tools gstreamer1.0-plugins-good"
            )
        try:
            words = shlex.split(f"{pipeline} ! {_INTO_PIPE}")
        except ValueError as error:
            raise SourceError(f"{name} cannot be read as a pipeline: {error}") from None
        self._name = name
        self._live = live
        # Words, and no shell.
        self._process = subprocess.Popen(
            [_LAUNCH, "-q", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdout is not None
        self._frames = Y4mReader(PipeBytes(self._process.stdout.fileno(), name), name)
        self._said: deque[str] = deque(maxlen=8)
        self._listener = threading.Thread(target=self._listen, name="gst-launch messages", daemon=True)
        self._listener.start()

    def read(self) -> Grab | None:
        grab = self._frames.read()
        if grab is not None:
            return grab
        code = self._process.wait(5)
        self._listener.join(1)
        if code == 0 and not self._live:
            return None
        said = next((line for line in self._said if "ERROR" in line), "; ".join(self._said) or f"exit code {code}")
        raise SourceError(f"{self._name} has ended: {said}" if code else f"{self._name} gives no more frames")

    def close(self) -> None:
        process = self._process
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._listener.join(1)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def _listen(self) -> None:
        """Read what it says as it says it: a full pipe would stop it."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line.decode(errors="replace").strip()[:300])
