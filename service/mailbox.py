"""Where the capture thread leaves frames and everyone else leaves orders; the tracking thread takes both."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from .frames import CapturedFrame

MAX_ORDERS = 64
"""Orders that may wait; more than people give, less than a flood."""


class Mailbox:
    """One slot for the newest frame, and a short queue of orders.

    every: `put` waits until the frame before was taken, so that none is lost (files at full speed). Without it a newer
    frame replaces the older, which is counted in `dropped`.
    """

    def __init__(self, every: bool = False) -> None:
        self._every = every
        self._changed = threading.Condition()
        self._frame: CapturedFrame | None = None
        self._orders: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._closed = False
        self.dropped = 0

    def put(self, frame: CapturedFrame) -> None:
        """Leave a frame; after `close` it is thrown away."""
        with self._changed:
            if self._every:
                self._changed.wait_for(lambda: self._frame is None or self._closed)
            elif self._frame is not None:
                self.dropped += 1
            if not self._closed:
                self._frame = frame
                self._changed.notify_all()

    def order(self, call: Callable[[], Any]) -> Future[Any]:
        """Have `call` made by the tracking thread, between two frames. Its result, or what it raises, is the future's.

        The future is cancelled where the mailbox is closed or too many orders wait.
        """
        future: Future[Any] = Future()
        with self._changed:
            if self._closed or len(self._orders) >= MAX_ORDERS:
                future.cancel()
            else:
                self._orders.append((call, future))
                self._changed.notify_all()
        return future

    def take(self, timeout: float) -> CapturedFrame | None:
        """Carry out the orders that wait, then give the newest frame, None where none comes within `timeout` seconds
        or an order was all that came."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._orders or self._closed, timeout)
            orders = list(self._orders)
            self._orders.clear()
        for call, future in orders:
            _carry_out(call, future)
        with self._changed:
            # After the orders: they may have taken a while, and a newer frame may have come.
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return frame

    def close(self) -> None:
        """Let go of whoever waits: frames put from now on are thrown away, orders are cancelled."""
        with self._changed:
            self._closed = True
            self._frame = None
            for _, future in self._orders:
                future.cancel()
            self._orders.clear()
            self._changed.notify_all()


def _carry_out(call: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
