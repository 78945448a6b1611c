"""A session: one source, one bundle, any targets. What the command line, the window and the page all stand on.

    session = Session(source, BundleShelf([BundleChoice("edge", default_bundle())]))
    session.start()
    target = session.add_target(Box(120, 80, 64, 48), "red car")
    with session.subscribe() as results:
        for result in results: ...
    session.stop()

Three kinds of threads: the capture thread reads the source, the tracking thread runs the network and carries out
orders between two frames, and each sink writes on its own. Nobody who looks on can hold the first two up.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import TypeVar

from ..runtime.errors import InputError, TrackerStateError
from ..runtime.geometry import Box
from .bundles import BundleShelf
from .capture import Capture, Patience
from .engine import Engine
from .feed import Feed, Subscription
from .frames import CapturedFrame
from .mailbox import Mailbox
from .pictures import PictureFeed
from .results import ResultFormat, ResultLog
from .sinks.base import Sink
from .sinks.runner import SinkRunner
from .sources.base import Source
from .targets.state import TargetState, Thresholds
from .tracking import TrackingThread
from .views import Event, EventKind, FrameResult, Snapshot, SourceState

T = TypeVar("T")

log = logging.getLogger(__name__)

_WARN_OF = (SourceState.WAITING, SourceState.STALLED, TargetState.LOST)

MAX_HELD = 4
"""Frames that may be held for drawing a box on; the oldest goes first."""

ORDER_TIMEOUT = 10.0
"""Seconds that an order may take: beyond it the tracking thread is stuck in the engine."""


@dataclass(frozen=True)
class SessionSettings:
    """thresholds: of the states; max_targets: followed at once; every_frame: wait for each frame to be tracked and
    written (files at full speed) rather than keep the newest; patience: with the source; result_rows: rows of results
    that are kept for `export`, the oldest going first; first_targets: name and box of those in the first frame."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    max_targets: int = 8
    every_frame: bool = False
    patience: Patience = field(default_factory=Patience)
    result_rows: int = 200_000
    first_targets: tuple[tuple[str, Box], ...] = ()


class Session:
    """Follows targets in the frames of one source until it is stopped. Any thread may call any method.

    Methods that change what is tracked wait for the tracking thread to be between two frames, a few milliseconds; from
    an event loop call them in a worker thread. They raise InputError for a value that cannot be used and
    TrackerStateError where the session does not run.
    """

    def __init__(
        self,
        source: Source,
        bundles: BundleShelf,
        settings: SessionSettings | None = None,
        sinks: Sequence[Sink] = (),
    ) -> None:
        """Loads the first bundle. Raises BundleError, BackendError, MissingExtraError. Nothing is opened yet."""
        settings = settings or SessionSettings()
        self._events: Feed[Event] = Feed()
        self._results: Feed[FrameResult] = Feed()
        self._log = ResultLog(settings.result_rows)
        self._mailbox = Mailbox(settings.every_frame)
        self._runners = [SinkRunner(sink, settings.every_frame, self._tell) for sink in sinks]
        self._capture = Capture(source, self._mailbox, settings.patience, self._tell)
        self._engine = Engine(bundles, settings.thresholds, settings.max_targets, self._tell)
        self.pictures = PictureFeed()
        """The newest frame as JPEG, encoded once for all who look on (see `PictureFeed`)."""
        self._thread = TrackingThread(self._engine, self._mailbox, self._capture, settings.first_targets, self._hand_on)
        self._held: OrderedDict[int, CapturedFrame] = OrderedDict()
        self._lock = threading.Lock()
        self._started = False
        self._stopped = False

    # ---- running

    def start(self, wait_for_source: float | None = None) -> None:
        """Begin to capture and track. A session starts once.

        wait_for_source: seconds to wait for the first frame; where the source fails before it, or none comes, the
        session is stopped and SourceError says why. None goes on trying in the background.
        """
        with self._lock:
            if self._started:
                raise TrackerStateError("a session starts once; make a new one")
            self._started = True
        try:
            for runner in self._runners:
                runner.start()
            self.pictures.start()
            self._thread.start()
            self._capture.start()
            if wait_for_source is not None:
                self._capture.wait_for_frame(wait_for_source)
        except BaseException:  # an interruption too leaves no thread behind; raised again
            self.stop()
            raise

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the source has ended and its last frame is tracked, or the session stops; False after `timeout`
        seconds. Raises what ended the tracking thread where that failed."""
        return self._thread.wait(timeout)

    def stop(self) -> None:
        """Stop everything, in the way of the data: the source is closed, the frame in work is finished, every sink
        writes what it was given and closes its file. A second call does nothing."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        self._capture.stop()
        self._thread.stop()
        for runner in self._runners:
            runner.stop()
        self.pictures.stop()
        self._results.end()
        self._events.end()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether the tracking thread has gone round lately; a stalled source does not matter to it. What a watchdog
        asks."""
        return self._thread.alive

    @property
    def sink_errors(self) -> list[Exception]:
        """What ended sinks that failed; complete after `stop`."""
        return [runner.error for runner in self._runners if runner.error is not None]

    # ---- targets

    def add_target(self, box: Sequence[float], name: str = "", frame: int | None = None) -> int:
        """Follow what is in `box`: x, y, width, height in pixels of the newest frame, or of the held frame `frame`.

        Gives the target's number, which no other target of this session has. name: up to 40 printable characters,
        "target N" where empty. Raises InputError for a box or name that cannot be used, for a frame that is held no
        more, where `max_targets` are followed already, and before the first frame.
        """
        with self._lock:
            held = None if frame is None else self._held.get(frame)
        if frame is not None and held is None:
            raise InputError(f"frame {frame} is not held any more; draw the box on a newer one")
        return self._order(lambda: self._engine.add(box, name, held))

    def remove_target(self, target: int) -> None:
        """Follow it no longer. Raises InputError for a number that is not followed."""
        self._order(lambda: self._engine.remove(target))

    def rename_target(self, target: int, name: str) -> None:
        """Give it another name. Raises InputError as `add_target` and `remove_target` do."""
        self._order(lambda: self._engine.rename(target, name))

    def hold_frame(self) -> CapturedFrame:
        """The newest frame, kept so that a box may be drawn on it while the picture goes on: give its `number` to
        `add_target`. At most four are held; the oldest goes. Raises InputError before the first frame."""
        frame = self._engine.latest.frame
        if frame is None:
            raise InputError("there is no frame yet; wait for the source")
        with self._lock:
            self._held[frame.number] = frame
            self._held.move_to_end(frame.number)
            while len(self._held) > MAX_HELD:
                self._held.popitem(last=False)
        return frame

    def release_frame(self, frame: int) -> None:
        """Hold it no longer; one that is not held is no error."""
        with self._lock:
            self._held.pop(frame, None)

    # ---- pause, bundle

    def pause(self) -> None:
        """Stop tracking and keep the picture still; the source goes on being read. Pausing twice is no error."""
        self._order(self._engine.pause)

    def resume(self) -> None:
        """Go on with the newest frame."""
        self._order(self._engine.resume)

    def switch_bundle(self, name: str, precision: str | None = None) -> None:
        """Track with another of the bundles that the session was made with, or in another precision; the targets stay.

        It is loaded here while the old one goes on tracking, which takes a while, then takes over between two frames.
        Raises InputError for an unknown name or precision or while another switch runs, BundleError and BackendError
        where it does not load: the old one stays.
        """
        self._check_running()
        self._engine.switch(name, precision, self._order)

    # ---- looking on

    def snapshot(self) -> Snapshot:
        """The newest tracked frame, its targets, latency, source, bundle and sinks. Never waits for the tracker."""
        latest = self._engine.latest
        return Snapshot(
            latest.frame,
            latest.result,
            latest.targets,
            self._capture.status(latest.blank, latest.frozen),
            self._engine.latency.summary(),
            self._engine.bundle_status,
            tuple(runner.status for runner in self._runners),
            self._engine.paused,
        )

    def subscribe(self, capacity: int = 64, notify: Callable[[], None] | None = None) -> Subscription[FrameResult]:
        """The result of every frame from now on, in a queue of at most `capacity`: a slow reader loses the oldest.

        notify: called on the tracking thread when there is something to read; it must return at once, such as
        `lambda: loop.call_soon_threadsafe(event.set)`.
        """
        return self._results.subscribe(capacity, notify)

    def subscribe_events(self, capacity: int = 256, notify: Callable[[], None] | None = None) -> Subscription[Event]:
        """What happens from now on (see `Event`), as `subscribe` gives results."""
        return self._events.subscribe(capacity, notify)

    def export(self, kind: ResultFormat, target: int | None = None) -> Iterator[str]:
        """The results that are kept (see `SessionSettings.result_rows`), piece by piece: text to write to a file.

        target: only this one's; the benchmark format holds one target and needs it. Raises InputError.
        """
        return self._log.export(kind, target)

    # ---- inside

    def _hand_on(self, frame: CapturedFrame, result: FrameResult) -> None:
        """On the tracking thread, after every frame."""
        self._log.add(result)
        self._results.publish(result)
        for runner in self._runners:
            runner.offer(frame, result)
        self.pictures.offer(frame)

    def _tell(self, event: Event) -> None:
        """From any thread."""
        level = logging.WARNING if event.state in _WARN_OF or event.kind is EventKind.SINK else logging.INFO
        log.log(level, "%s", event.text)
        self._events.publish(event)
        for runner in self._runners:
            runner.tell(event)

    def _check_running(self) -> None:
        if not self._started or self._stopped:
            raise TrackerStateError("the session does not run" + ("; it was stopped" if self._stopped else ""))

    def _order(self, call: Callable[[], T]) -> T:
        self._check_running()
        future = self._mailbox.order(call)
        try:
            return future.result(ORDER_TIMEOUT)
        except CancelledError:
            raise TrackerStateError("the session is stopping, or too many orders wait; try again") from None
        except FutureTimeoutError:
            future.cancel()
            raise TrackerStateError(f"the tracker did not answer within {ORDER_TIMEOUT:g} s; it is stuck") from None
