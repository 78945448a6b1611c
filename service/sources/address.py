"""A source from what was written on the command line. Never from a page: an address reaches files and programs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from ...runtime.errors import InputError
from .base import Source
from .camera import CameraSource, CaptureFormat, StreamSource
from .files import FileSource
from .gstreamer import GStreamerSource, csi_pipeline
from .pipe import RawSource
from .scene import SceneSource

KINDS = (
    "v4l2:///dev/video0?format=MJPG&size=1280x720&rate=30, csi://0?size=1280x720&rate=30, rtsp://, http://, "
    "file:///clip.mp4?speed=real&loop=1, raw:-?size=640x480&format=bgr, gst:PIPELINE, scene:?size=640x480&rate=25, "
    "or a video file, a folder of images, a device"
)

_STREAMS = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "srt")


def source_from(address: str, allow_truncated: bool = False) -> Source:
    """The source that `address` names (see `KINDS`); nothing is opened. Raises InputError for one of no kind."""
    scheme, colon, rest = address.partition(":")
    scheme = scheme.lower()
    if address.isdecimal() or address.startswith("/dev/video"):
        return CameraSource(address)
    if not colon or len(scheme) < 2 or not scheme.isalnum():
        # No scheme, or a drive's letter.
        return FileSource(Path(address), allow_truncated=allow_truncated)
    if scheme in _STREAMS:
        return StreamSource(address, without_password(address))
    if scheme == "gst":
        return GStreamerSource(rest.strip())
    path, _, query = rest.partition("?")
    options = _Options(address, query)
    source = _of_scheme(scheme, path, options, allow_truncated)
    options.check_all_used()
    return source


def _of_scheme(scheme: str, path: str, options: _Options, allow_truncated: bool) -> Source:
    if scheme == "v4l2":
        return CameraSource(
            _plain(path), CaptureFormat(options.fourcc("format"), options.size("size"), options.number("rate"))
        )
    if scheme == "csi":
        sensor, rate = _plain(path).strip("/") or "0", options.number("rate") or 30
        if not sensor.isdecimal():
            raise InputError(f"{options.address} names no sensor by its number; give csi://0")
        pipeline = csi_pipeline(int(sensor), options.size("size") or (1280, 720), rate)
        return GStreamerSource(pipeline, f"CSI camera {sensor}", fps=rate)
    if scheme == "file":
        speed = options.one_of("speed", ("full", "real"))
        return FileSource(Path(_plain(path)), speed == "real", options.flag("loop"), allow_truncated)
    if scheme == "raw":
        size = options.size("size")
        if size is None or path != "-":
            raise InputError(f"{options.address} does not say the frames' size; give raw:-?size=640x480&format=bgr")
        return RawSource(size, options.one_of("format", ("bgr", "rgb", "gray")), options.number("rate"))
    if scheme == "scene":
        width, height = options.size("size") or (640, 480)
        return SceneSource(width, height, options.number("rate") or 25.0)
    raise InputError(f"{options.address} is of no known kind; known are: {KINDS}")


def without_password(url: str) -> str:
    """A URL as it may be shown and logged: without the password, and without the query, which often is one."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")
    user = f"{host[0].partition(':')[0]}@" if host[1] else ""
    return urlunsplit((parts.scheme, user + host[2], parts.path, "", ""))


def _plain(path: str) -> str:
    """The path of `scheme:///path`, `scheme://path` or `scheme:path`."""
    path = path[2:] if path.startswith("//") else path
    return unquote(path)


class _Options:
    """What stands behind the question mark; each value is asked for once, and what nobody asks for is refused."""

    def __init__(self, address: str, query: str) -> None:
        self.address = address
        self._values = dict(parse_qsl(query, keep_blank_values=True))

    def number(self, name: str) -> float | None:
        text = self._values.pop(name, None)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 < value <= 1000:
            raise InputError(f"{self.address}: {name} is {text!r}; give a number from 0 to 1000")
        return value

    def size(self, name: str) -> tuple[int, int] | None:
        text = self._values.pop(name, None)
        if text is None:
            return None
        parts = text.lower().split("x")
        if len(parts) != 2 or not all(p.isdecimal() and 16 <= int(p) <= 16384 for p in parts):
            raise InputError(f"{self.address}: {name} is {text!r}; give width and height in pixels, such as 1280x720")
        return int(parts[0]), int(parts[1])

    def fourcc(self, name: str) -> str | None:
        text = self._values.pop(name, None)
        if text is not None and (len(text) != 4 or not text.isascii()):
            raise InputError(f"{self.address}: {name} is {text!r}; give four letters, such as MJPG or YUYV")
        return text

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        text = self._values.pop(name, known[0])
        if text not in known:
            raise InputError(f"{self.address}: {name} is {text!r}; give one of {', '.join(known)}")
        return text

    def flag(self, name: str) -> bool:
        return self.one_of(name, ("0", "1")) == "1"

    def check_all_used(self) -> None:
        if self._values:
            raise InputError(f"{self.address}: nothing is known of {', '.join(self._values)}")
