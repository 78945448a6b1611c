"""Handing results to whoever asked for them, in bounded memory: who is slow misses some, and nobody waits for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Subscription(Generic[T]):
    """A bounded queue of one reader. When it is full the oldest value is dropped and counted in `lost`.

    Close it, or use it in a `with` block; iterating ends when it is closed by either side.
    """

    def __init__(self, feed: Feed[T], capacity: int, notify: Callable[[], None] | None) -> None:
        self._feed = feed
        self._notify = notify
        self._values: deque[T] = deque(maxlen=capacity)
        self._changed = threading.Condition()
        self._closed = False
        self.lost = 0

    def get(self, timeout: float | None = None) -> T | None:
        """The next value, None where none came within `timeout` seconds (None: for ever) or it was closed; what waits
        is still given after that."""
        with self._changed:
            self._changed.wait_for(lambda: self._values or self._closed, timeout)
            return self._values.popleft() if self._values else None

    def get_all(self) -> list[T]:
        """What waits now, oldest first; never blocks."""
        with self._changed:
            values = list(self._values)
            self._values.clear()
            return values

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._feed.leave(self)
        self.end()

    def __iter__(self) -> Iterator[T]:
        while (value := self.get()) is not None:
            yield value

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def offer(self, value: T) -> None:
        """For the feed: leave a value, never waiting."""
        with self._changed:
            if self._closed:
                return
            self.lost += len(self._values) == self._values.maxlen
            self._values.append(value)
            self._changed.notify()
        if self._notify is not None:
            self._notify()

    def end(self) -> None:
        """For the feed: no more values come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._notify is not None:
            self._notify()


class Feed(Generic[T]):
    """Offers every published value to all subscriptions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription[T], ...] = ()
        self._ended = False

    def subscribe(self, capacity: int, notify: Callable[[], None] | None = None) -> Subscription[T]:
        """notify: called by the publishing thread after each value and at the end; it must return at once, as
        `loop.call_soon_threadsafe` does."""
        subscription = Subscription(self, capacity, notify)
        with self._lock:
            if not self._ended:
                self._subscriptions = (*self._subscriptions, subscription)
                return subscription
        subscription.end()
        return subscription

    def leave(self, subscription: Subscription[T]) -> None:
        with self._lock:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)

    def publish(self, value: T) -> None:
        for subscription in self._subscriptions:
            subscription.offer(value)

    def end(self) -> None:
        """Close every subscription, also those that come later."""
        with self._lock:
            self._ended = True
            subscriptions, self._subscriptions = self._subscriptions, ()
        for subscription in subscriptions:
            subscription.end()
