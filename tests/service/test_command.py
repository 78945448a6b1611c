"""`ostrack-track camera` as a process, what systemd hears of it, figures for programs, the window, the soak."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge.datasets import open_footage, read_boxes
from ostrack_edge.runtime.errors import InputError, OutputError
from ostrack_edge.service import window as window_module
from ostrack_edge.service.latency import Latency
from ostrack_edge.service.live import LiveOptions, make_session, make_sinks
from ostrack_edge.service.notify import Notifier
from ostrack_edge.service.soak import soak
from ostrack_edge.service.sources.address import source_from
from ostrack_edge.service.stats import prometheus_text, stats_json, stats_line
from ostrack_edge.service.window import Window, check_display

from .live import until

MAIN = "from ostrack_edge.service.cli import main; main()"


def camera(*args: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", MAIN, "camera", *map(str, args), "--threads", "1"]
    kept = {n: v for n, v in os.environ.items() if n not in ("DISPLAY", "WAYLAND_DISPLAY", "NOTIFY_SOCKET")}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**kept, **environment}
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_file_is_tracked_and_everything_is_written(clip: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("r.jsonl", "r.csv", "r.txt")]
    results = [part for path in files for part in ("--results", path)]
    options = ["--bundle", tiny_bundle, "--no-window", "--stats", "--init", "40,30,24,24", "--out", tmp_path / "s.avi"]
    code, out, err = finished(camera(clip, *options, *results))
    assert code == 0, err
    figures = json.loads(out.splitlines()[0])
    assert (figures["frames"], figures["source"]["dropped"]) == (12, 0)
    assert out.splitlines()[1].startswith("12 frames; source ended")
    assert re.search(r"INFO target 1 is followed from 40,30,24,24 in frame 0", err)
    assert len(files[1].read_text().splitlines()) == 13
    assert len(read_boxes(files[2])) == 12
    with open_footage(tmp_path / "s.avi") as footage:
        assert footage.frame_count == 12


def test_terminated_it_closes_its_files(tiny_bundle: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "s.mp4", tmp_path / "r.jsonl"
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(60)
    options = ["--bundle", tiny_bundle, "--no-window", "--init", "40,30,24,24", "--out", out, "--results", results]
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    process = camera("scene:?size=160x120&rate=50", *options, **environment)
    told = [heard.recv(200).decode()]
    while told[-1] != "WATCHDOG=1":
        told.append(heard.recv(200).decode())
    assert told[0] == "READY=1"
    until(lambda: results.exists() and results.stat().st_size > 3000, 30)
    process.send_signal(signal.SIGTERM)
    code, _, err = finished(process)
    assert code == 143, err
    while told[-1] != "STOPPING=1":
        told.append(heard.recv(200).decode())
    heard.close()
    tracked = [row for line in results.read_text().splitlines() if "frame" in (row := json.loads(line))]
    with open_footage(out) as footage:
        assert len(list(footage)) == footage.frame_count
        assert 0 < (footage.frame_count or 0) <= len(tracked)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["scene:"], "there is no display for a window"),
        (["0", "--no-window"], "say where it is with --init"),
        (["ftp://x", "--no-window", "--init", "1,2,3,4"], "of no known kind"),
        (["a.mp4", "--no-window", "--init", "1,2,3,4", "--results", "r.xml"], "end it in .jsonl"),
        (["a.mp4", "--no-window", "--init", "1,2,3,4", "--out", "a.mp4"], "is named twice"),
    ],
)
def test_refusals_are_one_sentence(args: list[str], said: str, tiny_bundle: Path) -> None:
    code, out, err = finished(camera(*args, "--bundle", tiny_bundle))
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1


def test_options_become_a_session(tiny_bundle: Path, tmp_path: Path) -> None:
    options = LiveOptions("scene:", (f"a={tiny_bundle}",), threads=1, results=(tmp_path / "r.csv",))
    session = make_session(options)
    assert session.snapshot().bundle.choices == {"a": ("fp32",)}
    assert not session.snapshot().bundle.trained
    session.stop()
    both = dataclasses.replace(options, mqtt="mqtt://h/t", webhook="http://h/x", out=tmp_path / "s.mp4")
    names = [sink.name for sink in make_sinks(both, source_from("scene:"))]
    assert names == [str(tmp_path / "r.csv"), str(tmp_path / "s.mp4"), "mqtt://h:1883/t", "http://h/x"]
    with pytest.raises(InputError, match="at most 1 may be followed"):
        make_session(dataclasses.replace(options, max_targets=1, init=((1, 2, 3, 4),) * 2))  # type: ignore[arg-type]


# ---- figures


def test_percentiles_are_over_the_window_and_the_worst_is_kept() -> None:
    latency = Latency(window=100)
    assert latency.summary().capture_to_box is None
    latency.add(0.0, 999.0, {"queue": 1.0})
    for i in range(1, 101):
        latency.add(i / 25, float(i), {"queue": 2.0, "inference": 3.0})
    summary = latency.summary()
    spread = summary.capture_to_box
    assert spread is not None
    assert (spread.median, spread.p90, spread.max) == pytest.approx((50.5, 90.1, 100))
    assert (summary.worst_ms, summary.frames, summary.in_window) == (999.0, 101, 100)
    assert summary.frames_per_second == pytest.approx(25)
    assert summary.stages["inference"].median == 3.0


def test_figures_for_programs_and_people(tiny_bundle: Path) -> None:
    session = make_session(LiveOptions("scene:?size=160x120&rate=100", (str(tiny_bundle),), threads=1))
    session.start(20)
    until(lambda: session.snapshot().latency.frames > 3)
    session.add_target([40, 30, 24, 24], "a")
    session.stop()
    snapshot = session.snapshot()
    text = prometheus_text(snapshot)
    for line in text.splitlines():
        assert re.fullmatch(
            r"# (HELP|TYPE) ostrack_\w+ .+|ostrack_\w+(\{\w+=\"[^\"]*\"(,\w+=\"[^\"]*\")*\})? \S+", line
        )
    assert f"ostrack_frames_tracked_total {snapshot.latency.frames}\n" in text
    assert 'ostrack_source_state{state="stopped"} 1' in text
    assert 'ostrack_capture_to_box_seconds{quantile="0.99"}' in text
    assert json.loads(stats_json(snapshot))["capture_to_box_ms"]["p99"] > 0
    assert stats_line(snapshot).startswith("source stopped; ")


def test_without_a_service_manager_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    Notifier().ready()
    assert Notifier().watchdog_seconds is None
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    assert Notifier().watchdog_seconds == 2
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Notifier().watchdog_seconds is None
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    Notifier().ready()


# ---- the window, with OpenCV's functions replaced: none of them may be called without a display


def test_the_window_obeys_its_keys(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session(LiveOptions("scene:?size=160x120&rate=100", (str(tiny_bundle),), threads=1))
    session.start(20)
    until(lambda: session.snapshot().frame)
    shown: list[np.ndarray] = []
    keys = iter([255, ord("a"), ord("a"), ord("d"), ord(" "), ord(" "), ord("q")])
    seen: list[tuple[int, bool]] = []

    def wait_key(_: int) -> int:
        seen.append((len(session.snapshot().targets), session.snapshot().paused))
        return next(keys)

    monkeypatch.setattr(window_module, "check_display", lambda: None)
    for name, fake in {
        "namedWindow": lambda *a: None,
        "destroyWindow": lambda *a: None,
        "imshow": lambda title, image: shown.append(image),
        "getWindowProperty": lambda *a: 1.0,
        "selectROI": lambda *a, **k: (40, 30, 24, 24),
        "waitKey": wait_key,
    }.items():
        monkeypatch.setattr(cv2, name, fake)
    Window(session).run()
    session.stop()
    assert seen == [(0, False), (0, False), (1, False), (2, False), (1, False), (1, True), (1, False)]
    assert shown
    assert shown[0].shape == (120, 160, 3)


def test_no_window_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux: elsewhere there is always a display")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OutputError, match="camera --no-window"):
        check_display()


def test_a_short_soak(tiny_bundle: Path, tmp_path: Path) -> None:
    report = soak(tiny_bundle, tmp_path, frames=400, rate=200)
    # Memory has no time to settle here; everything else must hold.
    assert [p for p in report.problems if "memory" not in p] == []
    assert report.tracked >= 400
    assert report.bad > 0
    assert len(report.memory_mib) >= 20
