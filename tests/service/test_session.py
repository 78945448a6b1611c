"""The session as its users see it, over a network that finds a white square."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.runtime.errors import InputError, SourceError, TrackerStateError
from ostrack_edge.service.bundles import BundleChoice, BundleShelf, LoadedBundle
from ostrack_edge.service.capture import Patience
from ostrack_edge.service.frames import CapturedFrame
from ostrack_edge.service.results import ResultFormat
from ostrack_edge.service.session import MAX_HELD, Session, SessionSettings
from ostrack_edge.service.sinks.base import Sink
from ostrack_edge.service.sources.base import BadFrameError
from ostrack_edge.service.views import Event, EventKind, FrameResult, SourceState

from .live import START, ListSource, SquareBackend, picture, until

QUICK = Patience(stall_after=0.2, first_pause=0.01, longest_pause=0.05, bad_in_a_row=5)
EVERY = SessionSettings(every_frame=True, first_targets=(("square", START),))


class FakeShelf(BundleShelf):
    """Two bundles that need no files."""

    def __init__(self, backend: SquareBackend) -> None:
        self.backend = backend
        self.broken = False

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        return {"one": ("fp32",), "two": ("fp32", "int8")}

    def load_first(self) -> LoadedBundle:
        return LoadedBundle("one", self.backend, "fp32", True)

    def load(self, name: str, precision: str | None = None) -> LoadedBundle:
        if self.broken or name not in self.choices:
            raise InputError(f"there is no bundle {name!r}")
        return LoadedBundle(name, SquareBackend(), precision or "fp32", True)


class Memory:
    """A sink that keeps what it is given."""

    name = "memory"
    wants_frames = False

    def __init__(self, capacity: int = 1000) -> None:
        self.capacity = capacity
        self.results: list[FrameResult] = []
        self.events: list[Event] = []
        self.closed = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def open(self) -> None: ...

    def write(self, frame: CapturedFrame | None, result: FrameResult) -> None:
        assert frame is None
        self.go_on.wait(10)
        self.results.append(result)

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


Made = Callable[..., Session]


@pytest.fixture
def make() -> Iterator[Made]:
    made: list[Session] = []

    def session(source: ListSource, settings: SessionSettings = EVERY, *sinks: Sink, batch: int | None = 1) -> Session:
        made.append(Session(source, FakeShelf(SquareBackend(batch)), settings, sinks))
        return made[-1]

    yield session
    for each in made:
        each.stop()


def moving(count: int) -> list[np.ndarray]:
    return [picture(Box(START.x + i, START.y, START.width, START.height), seed=i) for i in range(count)]


# ---- tracking


def test_every_frame_of_a_file_is_tracked_and_written(make: Made) -> None:
    memory = Memory()
    session = make(ListSource(moving(20)), EVERY, memory)
    session.start()
    assert session.wait(20)
    session.stop()
    assert [r.number for r in memory.results] == list(range(20))
    first, *others = (r.targets[0] for r in memory.results)
    assert (first.box, first.score, str(first.state)) == (START, None, "tracking")
    for i, target in enumerate(others, 1):
        assert target.box == pytest.approx((START.x + i, START.y, 24, 24), abs=1.5)
        assert target.score == pytest.approx(0.9)
    snapshot = session.snapshot()
    assert (snapshot.source.state, snapshot.source.captured, snapshot.source.dropped) == (SourceState.ENDED, 20, 0)
    assert snapshot.latency.frames == 20
    assert {"queue", "check", "crop", "copy", "inference", "decode"} <= snapshot.latency.stages.keys()
    assert memory.closed == 1


def test_a_camera_keeps_only_the_newest_frame(make: Made) -> None:
    source = ListSource(moving(40), live=True, pause=0.002)
    session = make(source, SessionSettings(patience=QUICK, first_targets=(("", START),)))
    session._engine._group.backend.delay = 0.02  # type: ignore[attr-defined]
    with session.subscribe(1000) as results:
        session.start()
        until(lambda: session.snapshot().source.captured == 40)
        until(lambda: session.snapshot().result is not None and session.snapshot().result.number == 39)  # type: ignore[union-attr]
        numbers = [r.number for r in results.get_all()]
    source_status = session.snapshot().source
    assert numbers == sorted(numbers)
    assert source_status.dropped > 0
    assert len(numbers) + source_status.dropped == 40


def test_targets_come_and_go_while_it_runs(make: Made) -> None:
    both = np.maximum(picture(START), picture(Box(120, 90, 20, 20)))
    session = make(ListSource([both] * 400, pause=0.005), SessionSettings(every_frame=True), batch=None)
    session.start()
    until(lambda: session.snapshot().frame)
    a = session.add_target(START, "left")
    b = session.add_target([120, 90, 20, 20])
    assert {(v.result.id, v.result.name) for v in session.snapshot().targets} == {(a, "left"), (b, "target 2")}
    session.rename_target(b, "right")
    session.remove_target(a)
    assert [v.result.name for v in session.snapshot().targets] == ["right"]
    with pytest.raises(InputError, match=f"no target {a}; followed are: {b}"):
        session.remove_target(a)
    assert session.add_target(START) == 3


@pytest.mark.parametrize(
    ("box", "name", "said"),
    [
        ([0, 0, 0, 5], "", "empty"),
        ([1, 2, 3], "", "four numbers"),
        ([500, 5, 10, 10], "", "outside the frame of 160 x 120"),
        ([float("nan"), 5, 10, 10], "", "not finite"),
        ([10, 10, 10, 10], "x" * 41, "at most 40"),
        ([10, 10, 10, 10], "a\x00b", "printable"),
    ],
)
def test_targets_that_cannot_be(make: Made, box: list[float], name: str, said: str) -> None:
    session = make(ListSource([picture()] * 1000, pause=0.01))
    session.start(5)
    until(lambda: session.snapshot().frame)
    with pytest.raises(InputError, match=said):
        session.add_target(box, name)
    assert len(session.snapshot().targets) == 1


def test_no_more_targets_than_agreed(make: Made) -> None:
    session = make(ListSource([picture()] * 1000, pause=0.01), SessionSettings(max_targets=1))
    session.start(5)
    until(lambda: session.snapshot().frame)
    session.add_target(START)
    with pytest.raises(InputError, match="1 targets are followed already"):
        session.add_target(START)


def test_a_box_may_be_drawn_on_a_frame_that_is_held(make: Made) -> None:
    source = ListSource(moving(60), pause=0.005)
    session = make(source, SessionSettings(every_frame=True))
    session.start(5)
    until(lambda: session.snapshot().frame)
    held = session.hold_frame()
    until(lambda: session.snapshot().frame.number > held.number + 3)  # type: ignore[union-attr]
    at = Box(START.x + held.number, START.y, 24, 24)
    number = session.add_target(at, frame=held.number)
    session.wait(10)
    (view,) = session.snapshot().targets
    assert view.result.id == number
    assert view.result.box == pytest.approx((START.x + 59, START.y, 24, 24), abs=2)
    session.release_frame(held.number)
    with pytest.raises(InputError, match="is not held any more"):
        session.add_target(at, frame=held.number)


def test_held_frames_are_bounded(make: Made) -> None:
    session = make(ListSource(moving(80), pause=0.01), SessionSettings(every_frame=True))
    session.start(5)
    numbers: list[int] = []
    while len(numbers) < MAX_HELD + 2:
        until(lambda: session.snapshot().frame and session.snapshot().frame.number not in numbers)  # type: ignore[union-attr]
        numbers.append(session.hold_frame().number)
    with pytest.raises(InputError, match="not held"):
        session.add_target(START, frame=numbers[0])


def test_pause_keeps_the_picture_and_the_source_goes_on(make: Made) -> None:
    session = make(ListSource(moving(2000), live=True, pause=0.002), SessionSettings(patience=QUICK))
    session.start(5)
    until(lambda: session.snapshot().frame)
    session.pause()
    before = session.snapshot()
    assert before.paused
    until(lambda: session.snapshot().source.captured > before.source.captured + 10)
    after = session.snapshot()
    assert before.frame is not None
    assert after.frame is before.frame
    session.resume()
    until(lambda: session.snapshot().frame is not before.frame)


# ---- pictures that show nothing


def test_black_frozen_and_resized_frames(make: Made) -> None:
    black = np.zeros((120, 160, 3), np.uint8)
    big = picture(Box(120, 80, 48, 48), (320, 240))
    frames = [*moving(5), *[black] * 30, picture(seed=1), *[picture(seed=2)] * 5, big]
    memory = Memory()
    session = make(ListSource(frames), EVERY, memory)
    session.start()
    session.wait(20)
    session.stop()
    in_black = [r.targets[0] for r in memory.results[5:35]]
    assert {t.score for t in in_black} == {None}
    assert str(in_black[-1].state) == "lost"
    assert in_black[-1].box is None
    assert all(t.box is None or (t.box.width, t.box.height) == pytest.approx((24, 24), abs=2) for t in in_black)
    frozen = [r.targets[0].box for r in memory.results[36:41]]
    assert len(set(frozen)) == 1
    assert memory.results[-1].size == (320, 240)
    last = memory.results[-1].targets[0]
    assert last.box is not None
    assert last.box == pytest.approx((120, 80, 48, 48), abs=4)


# ---- the source


def test_a_camera_that_goes_and_comes_back(make: Made) -> None:
    frames = [*moving(3), SourceError("list was unplugged"), *moving(3), RuntimeError("a driver's own"), *moving(500)]
    source = ListSource(frames, live=True, pause=0.002)
    session = make(source, SessionSettings(patience=QUICK))
    with session.subscribe_events() as events:
        session.start()
        until(lambda: session.snapshot().source.reopened == 2)
        told = [e for e in events.get_all() if e.kind is EventKind.SOURCE_STATE]
    assert [e.state for e in told] == ["live", "waiting", "live", "waiting", "live"]
    assert "list was unplugged; trying again in 0.01 s" in told[1].text
    assert "a driver's own" in told[3].text
    assert source.closed == 2


def test_damaged_frames_are_counted_and_too_many_open_it_anew(make: Made) -> None:
    bad = BadFrameError("torn")
    source = ListSource([picture(), bad, bad, picture(seed=1), *[bad] * 5, *moving(300)], live=True, pause=0.002)
    session = make(source, SessionSettings(patience=QUICK))
    session.start()
    until(lambda: session.snapshot().source.reopened == 1)
    assert session.snapshot().source.bad == 7


def test_a_stalled_camera_is_shown_and_orders_are_still_taken(make: Made) -> None:
    source = ListSource(moving(100), live=True)
    session = make(source, SessionSettings(patience=QUICK))
    source.frames = source.frames[:3] + source.frames
    session.start(5)
    until(lambda: session.snapshot().frame)
    source.go_on.clear()
    until(lambda: session.snapshot().source.state is SourceState.STALLED)
    assert session.add_target(START) == 1
    assert session.alive
    source.go_on.set()


def test_a_source_that_does_not_open_at_first(make: Made) -> None:
    source = ListSource(moving(300), live=True, pause=0.002)
    source.fail_to_open = 3
    session = make(source, SessionSettings(patience=QUICK))
    session.start()
    until(lambda: session.snapshot().frame)
    other = ListSource(moving(3), live=True)
    other.fail_to_open = 1000
    with pytest.raises(SourceError, match="list does not open"):
        make(other, SessionSettings(patience=QUICK)).start(wait_for_source=5)


# ---- sinks and subscribers


def test_a_slow_sink_slows_nobody_and_counts_what_it_lost(make: Made) -> None:
    slow, quick = Memory(capacity=3), Memory()
    slow.go_on.clear()
    settings = SessionSettings(patience=QUICK, first_targets=(("", START),))
    session = make(ListSource(moving(50), live=True, pause=0.002), settings, slow, quick)
    session.start()
    until(lambda: session.snapshot().source.captured == 50)
    until(lambda: len(quick.results) == session.snapshot().latency.frames > 0)
    slow.go_on.set()
    session.stop()
    status = {id(s): s for s in session.snapshot().sinks}
    (of_slow, of_quick) = status.values()
    assert of_quick.lost == 0
    assert of_slow.lost > 0
    assert of_slow.written + of_slow.lost == of_quick.written


def test_a_sink_that_fails_is_told_and_the_others_go_on(make: Made) -> None:
    class Broken(Memory):
        name = "broken"

        def write(self, frame: CapturedFrame | None, result: FrameResult) -> None:
            raise OSError("no space left")

    memory = Memory()
    session = make(ListSource(moving(10)), EVERY, Broken(), memory)
    session.start()
    session.wait(20)
    session.stop()
    assert len(memory.results) == 10
    assert [str(e) for e in session.sink_errors] == ["no space left"]
    assert any(e.kind is EventKind.SINK and "broken has failed" in e.text for e in memory.events)


def test_a_slow_subscriber_loses_the_oldest(make: Made) -> None:
    woken = []
    session = make(ListSource(moving(10)))
    results = session.subscribe(capacity=4, notify=lambda: woken.append(1))
    session.start()
    session.wait(20)
    session.stop()
    assert [r.number for r in results] == [6, 7, 8, 9]
    assert results.lost == 6
    assert len(woken) == 11


def test_pictures_are_made_once_for_all_and_only_when_asked(make: Made) -> None:
    session = make(ListSource(moving(400), pause=0.01))
    session.start(5)
    until(lambda: session.snapshot().frame)
    assert session.pictures._picture is None
    first = session.pictures.next()
    assert first is not None
    image = cv2.imdecode(np.frombuffer(first.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (120, 160, 3)
    second = session.pictures.next(after=first.number)
    assert second is not None
    assert second.number > first.number
    session.stop()
    assert session.pictures.next(timeout=0.1) is None


# ---- results, bundles, order


def test_results_are_exported_and_bounded(make: Made) -> None:
    session = make(
        ListSource(moving(20)), SessionSettings(every_frame=True, first_targets=EVERY.first_targets, result_rows=8)
    )
    session.start()
    session.wait(20)
    csv = "".join(session.export(ResultFormat.CSV)).splitlines()
    assert csv[0].startswith("frame,wall,target,name")
    assert [int(line.split(",")[0]) for line in csv[1:]] == list(range(12, 20))
    rows = [json.loads(line) for line in "".join(session.export(ResultFormat.JSONL)).splitlines()]
    assert rows[-1]["box"] == pytest.approx([START.x + 19, START.y, 24, 24], abs=1.5)
    boxes = "".join(session.export(ResultFormat.BOXES, target=1)).splitlines()
    assert len(boxes) == 8
    with pytest.raises(InputError, match="say which"):
        session.export(ResultFormat.BOXES)
    with pytest.raises(InputError, match="no results of a target 7"):
        session.export(ResultFormat.CSV, target=7)


def test_the_bundle_is_switched_while_it_runs_and_the_targets_stay(make: Made) -> None:
    session = make(ListSource(moving(60), pause=0.01))
    session.start(5)
    until(lambda: session.snapshot().targets)
    session.switch_bundle("two", "int8")
    status = session.snapshot().bundle
    assert (status.name, status.precision, status.switching) == ("two", "int8", False)
    with pytest.raises(InputError, match="no bundle 'three'"):
        session.switch_bundle("three")
    assert session.snapshot().bundle.reason == "there is no bundle 'three'"
    session.wait(10)
    (view,) = session.snapshot().targets
    assert view.result.box == pytest.approx((START.x + 59, START.y, 24, 24), abs=2)
    assert view.template_crop.shape == (64, 64, 3)
    assert view.search_crop is not None
    assert view.search_crop.shape == (128, 128, 3)
    assert [len(k) for k in view.kept] == list(SquareBackend.network.kept_counts)


def test_a_session_that_does_not_run(make: Made) -> None:
    session = make(ListSource(moving(3)))
    with pytest.raises(TrackerStateError, match="does not run"):
        session.add_target(START)
    session.start()
    with pytest.raises(TrackerStateError, match="starts once"):
        session.start()
    session.stop()
    session.stop()
    with pytest.raises(TrackerStateError, match="was stopped"):
        session.pause()


def test_a_failing_engine_ends_the_session(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    session = make(ListSource(moving(3)))

    def broken(*_: object) -> None:
        raise RuntimeError("the engine broke")

    monkeypatch.setattr(SquareBackend, "search", broken)
    session.start()
    with pytest.raises(RuntimeError, match="the engine broke"):
        session.wait(10)
    assert not session.alive


def test_bundles_by_name(tiny_bundle: Path) -> None:
    assert BundleChoice.parse(f"a={tiny_bundle}") == BundleChoice("a", tiny_bundle)
    assert BundleChoice.parse(str(tiny_bundle)).name == "bundle"
    shelf = BundleShelf([BundleChoice("a", tiny_bundle)], threads=1)
    assert shelf.choices == {"a": ("fp32",)}
    assert shelf.load_first().backend.name == "onnxruntime"
    with pytest.raises(InputError, match="does not run in 'int8'"):
        shelf.load("a", "int8")
    with pytest.raises(InputError, match="known are: a"):
        shelf.load("b")
    with pytest.raises(InputError, match="name of its own"):
        BundleShelf([BundleChoice("a", tiny_bundle), BundleChoice("a", tiny_bundle)])
