"""Sinks: files by their contents, MQTT against a real broker, the webhook against a real server."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.datasets import open_footage
from ostrack_edge.runtime.errors import FootageError, InputError, OutputError
from ostrack_edge.service.frames import CapturedFrame
from ostrack_edge.service.overlay import LiveOverlay
from ostrack_edge.service.sinks.mqtt import MqttAddress, MqttSink
from ostrack_edge.service.sinks.text import LineSink, line_sink
from ostrack_edge.service.sinks.video import VideoSink
from ostrack_edge.service.sinks.webhook import WebhookSink
from ostrack_edge.service.targets.state import TargetState
from ostrack_edge.service.views import Event, EventKind, FrameResult, TargetResult

from .live import picture, until

HERE = TargetResult(1, 'the "red" car', TargetState.TRACKING, Box(10.5, 20, 30, 40.25), 0.75)
GONE = TargetResult(2, "dog", TargetState.LOST, None, 0.1)
EVENT = Event(EventKind.TARGET_STATE, "dog is lost", 1_800_000_000.5, 2, "dog", "lost")


def result(number: int, *targets: TargetResult, size: tuple[int, int] = (160, 120)) -> FrameResult:
    return FrameResult(number, 100.0 + number / 25, 1_800_000_000.25, size, targets, 12.5, {"queue": 1.0})


def frame(number: int, size: tuple[int, int] = (160, 120)) -> CapturedFrame:
    return CapturedFrame(number, picture(None, size), 100.0, 1_800_000_000.25)


def written(path: Path) -> list[str]:
    sink = line_sink(path)
    sink.open()
    sink.write(None, result(0, HERE, GONE))
    sink.tell(EVENT)
    sink.write(None, result(1, GONE))
    sink.close()
    return path.read_text().splitlines()


# ---- lines


def test_json_lines(tmp_path: Path) -> None:
    first, event, second = map(json.loads, written(tmp_path / "r.jsonl"))
    assert (first["frame"], first["size"], first["latency_ms"]) == (0, [160, 120], 12.5)
    assert first["targets"][0] == {
        "id": 1,
        "name": 'the "red" car',
        "state": "tracking",
        "score": 0.75,
        "box": [10.5, 20, 30, 40.25],
    }
    assert (event["event"], event["target"], event["state"]) == ("target_state", 2, "lost")
    assert second["targets"][0]["box"] is None


def test_csv(tmp_path: Path) -> None:
    assert written(tmp_path / "r.csv") == [
        "frame,wall,target,name,state,score,x,y,width,height",
        '0,1800000000.250,1,"the ""red"" car",tracking,0.7500,10.50,20.00,30.00,40.25',
        '0,1800000000.250,2,"dog",lost,0.1000,,,,',
        '1,1800000000.250,2,"dog",lost,0.1000,,,,',
    ]


def test_the_benchmarks_boxes_follow_the_first_target(tmp_path: Path) -> None:
    assert written(tmp_path / "r.txt") == ["10.5000,20.0000,30.0000,40.2500", "nan,nan,nan,nan"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"end it in \.jsonl"):
        line_sink(tmp_path / "r.xml")
    with pytest.raises(OutputError, match="there is no folder"):
        line_sink(tmp_path / "gone" / "r.csv").open()


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which Linux has")
    (tmp_path / "r.csv").symlink_to("/dev/full")
    sink = line_sink(tmp_path / "r.csv")
    with pytest.raises(OutputError, match=r"r\.csv cannot be written: No space left"):
        write_much(sink)


def write_much(sink: LineSink) -> None:
    try:
        sink.open()
        for number in range(5000):
            sink.write(None, result(number, HERE))
    finally:
        sink.close()


# ---- video


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_the_film_has_every_frame_with_what_was_found(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"seen{suffix}"
    sink = VideoSink(path, 20)
    sink.open()
    for i in range(5):
        sink.write(frame(i), result(i, HERE, GONE))
        assert not path.exists()
    sink.write(frame(5, (80, 120)), result(5, size=(80, 120)))
    sink.close()
    with open_footage(path) as footage:
        assert (footage.size, footage.frame_count, footage.fps) == ((160, 120), 6, 20)
        films = list(footage)
    assert np.abs(films[1].astype(int) - picture(None)).max() > 60
    # A frame of another size is fitted in, black beside it.
    assert films[5][:100, :30].max() < 30
    assert list(tmp_path.iterdir()) == [path]


def test_a_film_of_nothing_is_none(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "seen.mp4", 25)
    sink.open()
    sink.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FootageError, match="ends in"):
        VideoSink(tmp_path / "seen.webm", 25).open()


def test_a_film_that_lost_frames_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seen.mp4").write_bytes(b"the old film")
    sink = VideoSink(tmp_path / "seen.mp4", 25)
    sink.open()
    sink.write(frame(0), result(0))
    monkeypatch.setattr(cv2.VideoCapture, "isOpened", lambda self: False)
    with pytest.raises(FootageError, match="holds 0 of 1 frames"):
        sink.close()
    assert (tmp_path / "seen.mp4").read_bytes() == b"the old film"


def test_the_overlay_tells_states_apart() -> None:
    def drawn(target: TargetResult) -> np.ndarray:
        image = np.full((240, 320, 3), 90, np.uint8)
        LiveOverlay().draw(image, result(1, target, size=(320, 240)))
        return (image != 90).any(axis=2)[:210]

    box = Box(100, 60, 120, 80)
    tracked = drawn(TargetResult(1, "a", TargetState.TRACKING, box, 0.7))
    doubted = drawn(TargetResult(1, "a", TargetState.UNCERTAIN, box, 0.7))
    lost = drawn(TargetResult(1, "a", TargetState.LOST, None, 0.1))
    assert tracked[58:63, 150:170].all(axis=1).any()
    assert not doubted[58:63, 150:170].any()
    assert doubted[60:63, 102:120].any()
    assert not lost[40:].any()
    assert lost[:40].any()


# ---- MQTT


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """The port of a mosquitto of the test's own."""
    binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        pytest.skip("needs the broker mosquitto, which no Python package brings")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "m.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([binary, "-c", str(tmp_path / "m.conf")], stderr=subprocess.DEVNULL)
    until(lambda: listens(port))
    yield port
    process.terminate()
    process.wait(10)


def test_results_and_events_reach_a_broker(broker: int) -> None:
    mqtt = pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt of the extra mqtt")
    heard: list[tuple[str, str]] = []
    listener = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    listener.on_message = lambda c, u, m: heard.append((m.topic, m.payload.decode()))
    listener.connect("127.0.0.1", broker)
    listener.subscribe("cam/#", qos=1)
    listener.loop_start()
    sink = MqttSink(MqttAddress.parse(f"mqtt://127.0.0.1:{broker}/cam/door"))
    sink.open()
    until(lambda: ("cam/door/status", "online") in heard)
    for i in range(50):
        sink.write(None, result(i, HERE))
    sink.tell(EVENT)
    sink.close()
    until(lambda: ("cam/door/status", "offline") in heard)
    listener.loop_stop()
    listener.disconnect()
    results = [json.loads(text)["frame"] for topic, text in heard if topic == "cam/door/results"]
    assert results == list(range(50))
    assert [json.loads(text)["text"] for topic, text in heard if topic == "cam/door/events"] == ["dog is lost"]


def test_a_rate_leaves_results_out(broker: int) -> None:
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt of the extra mqtt")
    sink = MqttSink(MqttAddress.parse(f"mqtt://127.0.0.1:{broker}/cam?rate=0.01"))
    sink.open()
    sent: list[str] = []
    sink._publish = lambda branch, text: sent.append(branch)  # type: ignore[method-assign]
    for i in range(10):
        sink.write(None, result(i))
    sink.close()
    assert sent == ["results"]


def test_a_broker_that_is_not_there_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt of the extra mqtt")
    monkeypatch.setattr("ostrack_edge.service.sinks.mqtt._FAREWELL", 0.2)
    sink = MqttSink(MqttAddress.parse("mqtt://127.0.0.1:1/cam"))
    sink.open()
    sink.write(None, result(0))
    with pytest.raises(OutputError, match="is the broker there"):
        sink.close()


@pytest.mark.parametrize(
    "url", ["http://h/t", "mqtt://h", "mqtt://h/a/#", "mqtt://h/t?qos=7", "mqtt://h/t?x=1", "mqtt://u:secret@h/t"]
)
def test_mqtt_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InputError) as raised:
        MqttAddress.parse(url)
    assert "u:secret" not in str(raised.value)


def test_mqtt_addresses() -> None:
    assert MqttAddress.parse("mqtts://me@h/a/b?rate=5&qos=0") == MqttAddress("h", 8883, "a/b", True, "me", 5.0, 0)


# ---- the webhook


class _Hook(http.server.BaseHTTPRequestHandler):
    answers: list[int]
    heard: list[tuple[str, dict[str, object]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append((self.headers.get("Authorization", ""), json.loads(body)))
        self.send_response(self.answers.pop(0) if self.answers else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def hook() -> Iterator[type[_Hook]]:
    class Hook(_Hook):
        answers: list[int] = []  # noqa: RUF012
        heard: list[tuple[str, dict[str, object]]] = []  # noqa: RUF012
        url = ""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Hook.url = f"http://127.0.0.1:{server.server_address[1]}/hook?key=secret"
        yield Hook
        server.shutdown()
        thread.join()


def test_events_are_posted_and_tried_again(hook: type[_Hook], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("urllib3", reason="needs urllib3 of the extra web")
    monkeypatch.setenv("OSTRACK_WEBHOOK_TOKEN", "abc")
    hook.answers[:] = [503]
    sink = WebhookSink(hook.url)  # type: ignore[attr-defined]
    sink.open()
    sink.write(None, result(0, HERE))
    sink.tell(EVENT)
    sink.close()
    assert [(auth, body["text"]) for auth, body in hook.heard] == [("Bearer abc", "dog is lost")] * 2
    assert "secret" not in sink.name


def test_a_hook_that_refuses_is_told(hook: type[_Hook], caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("urllib3", reason="needs urllib3 of the extra web")
    hook.answers[:] = [404]
    sink = WebhookSink(hook.url)  # type: ignore[attr-defined]
    sink.open()
    sink.tell(EVENT)
    with pytest.raises(OutputError, match="did not take 1 events"):
        sink.close()
    assert "it answers 404" in caplog.text
    assert "secret" not in caplog.text
    with pytest.raises(InputError, match="no web address"):
        WebhookSink("ftp://h/x")
