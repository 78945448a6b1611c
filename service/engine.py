"""What is done with every frame and with every order; all of it on the tracking thread, but for what is said to be
readable from anywhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..runtime.errors import InputError, OSTrackEdgeError
from ..runtime.geometry import Box, check_box
from .bundles import BundleShelf, LoadedBundle
from .check import FrameCheck
from .colors import target_color
from .frames import CapturedFrame
from .latency import Latency
from .targets.group import Found, TargetGroup
from .targets.plan import Search
from .targets.state import TargetState, Thresholds
from .targets.target import Target
from .views import BundleStatus, Event, EventKind, FrameResult, TargetResult, TargetView

T = TypeVar("T")

MAX_NAME = 40


@dataclass(frozen=True, eq=False)
class Latest:
    """The newest tracked frame and what was found in it; replaced as a whole."""

    frame: CapturedFrame | None = None
    result: FrameResult | None = None
    targets: tuple[TargetView, ...] = ()
    blank: bool = False
    frozen: bool = False


class Engine:
    """`latest`, `bundle_status`, `paused` and `latency` may be read by any thread; `switch` is called by another."""

    def __init__(
        self, shelf: BundleShelf, thresholds: Thresholds, max_targets: int, tell: Callable[[Event], None]
    ) -> None:
        self._shelf = shelf
        self._thresholds = thresholds
        self._max_targets = max_targets
        self._tell = tell
        self._targets: dict[int, Target] = {}
        self._names: dict[int, str] = {}
        self._views: dict[int, TargetView] = {}
        self._next = 1
        self._check = FrameCheck()
        self._switching = threading.Lock()
        loaded = shelf.load_first()
        self._group = TargetGroup(loaded.backend)
        self.bundle_status = self._status(loaded)
        self.latest = Latest()
        self.latency = Latency()
        self.paused = False

    # ---- frames

    def step(self, frame: CapturedFrame, taken: float) -> FrameResult:
        """Track every target in `frame`, which left the mailbox at `taken`, `time.monotonic()`."""
        self._follow_size(frame)
        seen = self._check.look(frame.image)
        checked = time.monotonic()
        before = {number: target.state for number, target in self._targets.items()}
        searches: dict[int, Search] = {}
        found: dict[int, Found] = {}
        times: dict[str, float] = {}
        if seen.blank:
            for target in self._targets.values():
                target.unseen()
        elif not seen.frozen:
            # The same picture again tells nothing new; a search in it would only move away from the box.
            searches = self._searches(frame)
            found = self._group.search(frame.image, searches)
            times = self._group.timings_ms
            for number, result in found.items():
                self._targets[number].found(frame.image, result.box, result.score)
        finished = time.monotonic()
        stages = {"queue": (taken - frame.captured) * 1e3, "check": (checked - taken) * 1e3, **times}
        latency = (finished - frame.captured) * 1e3
        results = tuple(self._result(n, target, before[n]) for n, target in self._targets.items())
        result = FrameResult(frame.number, frame.captured, frame.wall, frame.size, results, latency, stages)
        self.latency.add(finished, latency, stages)
        for view in results:
            self._views[view.id] = self._view(view, searches.get(view.id), found.get(view.id))
        self.latest = Latest(frame, result, tuple(self._views.values()), *seen)
        return result

    def _searches(self, frame: CapturedFrame) -> dict[int, Search]:
        factor, targets = self._group.search_factor, self._targets.items()
        return {n: t.next_search(factor, frame.size) for n, t in targets if t.shown_in != frame.number}

    def _follow_size(self, frame: CapturedFrame) -> None:
        last = self.latest.frame
        if last is not None and last.size != frame.size:
            for target in self._targets.values():
                target.resized(last.size, frame.size)

    def _result(self, number: int, target: Target, before: TargetState) -> TargetResult:
        state, name = target.state, self._names[number]
        box = None if state is TargetState.LOST else target.box
        if state is not before:
            self._say(EventKind.TARGET_STATE, f"{name} is {state}", number, target)
        return TargetResult(number, name, state, box, target.score, state is not before)

    def _view(self, result: TargetResult, search: Search | None, found: Found | None) -> TargetView:
        target, old = self._targets[result.id], self._views.get(result.id)
        return TargetView(
            result,
            target.box,
            target_color(result.id),
            target.frames_in_state,
            self._group.template(result.id),
            found.crop if found else old.search_crop if old else None,
            search.window if search else old.search_window if old else None,
            self._group.backend.network.search_grid,
            found.kept if found else old.kept if old else (),
        )

    # ---- orders

    def add(self, box: Sequence[float], name: str, held: CapturedFrame | None = None) -> int:
        """See `Session.add_target`."""
        frame = held or self.latest.frame
        if frame is None:
            raise InputError("there is no frame yet to show a target in; wait for the source")
        if len(self._targets) >= self._max_targets:
            raise InputError(f"{self._max_targets} targets are followed already; remove one first")
        box = check_box(box, "the target's box")
        _check_inside(box, frame.size)
        number = self._next
        name = _check_name(name) or f"target {number}"
        target = Target(frame, box, self._thresholds)
        self._group.add(number, target.patch)
        if self.latest.frame is not None and self.latest.frame.size != frame.size:
            target.resized(frame.size, self.latest.frame.size)
        self._next += 1
        self._targets[number] = target
        self._names[number] = name
        self._renew(number)
        where = ",".join(f"{v:.0f}" for v in box)
        self._say(EventKind.TARGET_ADDED, f"{name} is followed from {where} in frame {frame.number}", number, target)
        return number

    def remove(self, number: int) -> None:
        self._target(number)
        self._group.remove(number)
        del self._targets[number]
        del self._views[number]
        name = self._names.pop(number)
        self.latest = replace(self.latest, targets=tuple(self._views.values()))
        self._tell(Event(EventKind.TARGET_REMOVED, f"{name} is followed no longer", time.time(), number, name))

    def rename(self, number: int, name: str) -> None:
        self._target(number)
        self._names[number] = _check_name(name) or f"target {number}"
        self._renew(number)

    def pause(self) -> None:
        if not self.paused:
            self.paused = True
            self._say(EventKind.PAUSED, "paused")

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            self._say(EventKind.RESUMED, "resumed")

    # ---- bundles

    def switch(self, name: str, precision: str | None, order: Callable[[Callable[[], Any]], Any]) -> None:
        """See `Session.switch_bundle`; called by another thread, `order` has a call made on the tracking thread."""
        if not self._switching.acquire(blocking=False):
            raise InputError("another bundle is being loaded; wait until it is")
        try:
            self.bundle_status = replace(self.bundle_status, switching=True, reason="")
            loaded = self._shelf.load(name, precision)
            group = TargetGroup(loaded.backend)
            order(lambda: self._take_over(group, loaded))
        except OSTrackEdgeError as error:
            self.bundle_status = replace(self.bundle_status, switching=False, reason=str(error))
            raise
        finally:
            self.bundle_status = replace(self.bundle_status, switching=False)
            self._switching.release()

    def _take_over(self, group: TargetGroup, loaded: LoadedBundle) -> None:
        for number, target in self._targets.items():
            group.add(number, target.patch)
        self._group = group
        self.bundle_status = self._status(loaded)
        # What the other network saw fits this one's grid no longer.
        self._views.clear()
        for number in self._targets:
            self._renew(number)
        self._say(EventKind.BUNDLE, f"tracking with {loaded.name} in {loaded.precision} on {loaded.backend.name}")

    def _status(self, loaded: LoadedBundle) -> BundleStatus:
        return BundleStatus(
            loaded.name, loaded.backend.name, loaded.precision, self._shelf.choices, trained=loaded.trained
        )

    # ---- small things

    def _target(self, number: int) -> Target:
        if number not in self._targets:
            known = ", ".join(map(str, self._targets)) or "none"
            raise InputError(f"there is no target {number}; followed are: {known}")
        return self._targets[number]

    def _renew(self, number: int) -> None:
        """Show a target that is new, or has a new name, before the next frame does."""
        target = self._targets[number]
        box = None if target.state is TargetState.LOST else target.box
        result = TargetResult(number, self._names[number], target.state, box, target.score)
        self._views[number] = self._view(result, None, None)
        self.latest = replace(self.latest, targets=tuple(self._views.values()))

    def _say(self, kind: EventKind, text: str, number: int | None = None, target: Target | None = None) -> None:
        if target is None or number is None:
            self._tell(Event(kind, text, time.time()))
            return
        box = None if target.state is TargetState.LOST else target.box
        self._tell(Event(kind, text, time.time(), number, self._names[number], str(target.state), box))


def _check_inside(box: Box, size: tuple[int, int]) -> None:
    if box.x >= size[0] or box.y >= size[1] or box.x + box.width <= 0 or box.y + box.height <= 0:
        where = ",".join(f"{v:g}" for v in box)
        raise InputError(f"the box {where} lies outside the frame of {size[0]} x {size[1]} pixels")


def _check_name(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > MAX_NAME or not name.isprintable():
        raise InputError(f"a target's name is at most {MAX_NAME} printable characters, not {name[:60]!r}")
    return name
