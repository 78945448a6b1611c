"""Cameras and network streams, read by OpenCV."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ...runtime.errors import SourceError
from ...runtime.opencv import cv2
from .base import READ_TIMEOUT, BadFrameError, Grab

_FRESH = 1.0
"""Seconds up to which a driver's own time stamp is believed; older, it is of another clock."""


@dataclass(frozen=True)
class CaptureFormat:
    """What is asked of a camera; None leaves it to the driver. pixels: four letters such as MJPG or YUYV; size: width,
    height; rate: frames per second."""

    pixels: str | None = None
    size: tuple[int, int] | None = None
    rate: float | None = None


@dataclass(frozen=True)
class CameraSource:
    """A V4L2 device (`/dev/video0`), or on other systems the camera of that number."""

    device: str
    format: CaptureFormat = CaptureFormat()
    live: bool = True

    @property
    def name(self) -> str:
        return f"camera {self.device}"

    @property
    def fps(self) -> float | None:
        return self.format.rate

    def open(self) -> CaptureReader:
        target: int | str = int(self.device) if self.device.isdecimal() else self.device
        backend = cv2.CAP_V4L2 if str(target).startswith("/dev/") else cv2.CAP_ANY
        capture = cv2.VideoCapture(target, backend)
        if not capture.isOpened():
            capture.release()
            raise SourceError(
                f"{self.name} does not open; is it plugged in, in use by another program, or not readable by this user "
                "(on Linux: a member of the group video)?"
            )
        asked = self.format
        if asked.pixels is not None:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*asked.pixels))
        if asked.size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, asked.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, asked.size[1])
        if asked.rate is not None:
            capture.set(cv2.CAP_PROP_FPS, asked.rate)
        # The driver's queue is where old frames would wait unseen.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        got = (round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        if asked.size is not None and got != asked.size:
            capture.release()
            raise SourceError(
                f"{self.name} gives {got[0]} x {got[1]} pixels and not {asked.size[0]} x {asked.size[1]}; "
                "`v4l2-ctl --list-formats-ext` lists what it has"
            )
        return CaptureReader(capture, self.name, driver_stamps=backend == cv2.CAP_V4L2)


@dataclass(frozen=True)
class StreamSource:
    """RTSP or HTTP, decoded by the FFmpeg that is in OpenCV. shown: the address without its password."""

    url: str
    shown: str
    live: bool = True
    fps: float | None = None

    @property
    def name(self) -> str:
        return self.shown

    def open(self) -> CaptureReader:
        wait = round(READ_TIMEOUT * 1e3)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait]
        capture = cv2.VideoCapture(self.url, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            capture.release()
            raise SourceError(
                f"{self.shown} does not open; check the address, the network and the password, and that the stream is "
                "of a kind that FFmpeg knows"
            )
        return CaptureReader(capture, self.shown)


class CaptureReader:
    """Reads a `cv2.VideoCapture`, and stamps each frame when it comes in, before it is decoded.

    driver_stamps: take the driver's own stamp where it is of the same clock (V4L2: when the frame began to arrive).
    """

    def __init__(self, capture: cv2.VideoCapture, name: str, driver_stamps: bool = False) -> None:
        self._capture = capture
        self._name = name
        self._driver_stamps = driver_stamps

    def read(self) -> Grab:
        if not self._capture.grab():
            raise SourceError(f"{self._name} gives no more frames")
        came = time.monotonic()
        if self._driver_stamps:
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
            came = stamp if 0 <= came - stamp < _FRESH else came
        decoded, image = self._capture.retrieve()
        if not decoded or image is None:
            raise BadFrameError("it cannot be decoded")
        if image.ndim != 3 or image.shape[2] != 3:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        return Grab(image, came)

    def close(self) -> None:
        self._capture.release()
