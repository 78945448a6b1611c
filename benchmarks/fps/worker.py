"""One measured engine in a process of its own: requests come on stdin, replies go to stdout, one JSON object per line.

Every reply is {"reply": {...}} or {"error": sentence, "type": class name}; {"tick": n} lines before it count frames.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any, TextIO

from ...runtime.errors import BenchmarkError, OSTrackEdgeError
from ...runtime.manifest import from_json, to_json
from ..gpu.protocol import MeasureGpu
from .products import ProductTimer
from .protocol import REQUESTS, LoadProducts, LoadRow, RunProducts, RunSustained, RunTurn
from .timing import RowTimer

TICK_S = 1.0
"""Seconds between two lines of progress: rare enough not to be felt in the figures."""


class Ticker:
    """Says on the wire how many frames are done, at most once in TICK_S."""

    def __init__(self, say: Callable[[Any], None]) -> None:
        self._say, self._last = say, perf_counter()

    def __call__(self, done: int) -> None:
        now = perf_counter()
        if now - self._last >= TICK_S:
            self._last = now
            self._say({"tick": done})


class Worker:
    """Holds what the process has loaded: one engine, or one library's matrix products, never both."""

    def __init__(self, say: Callable[[Any], None]) -> None:
        self._ticker = Ticker(say)
        self._row: RowTimer | None = None
        self._products: ProductTimer | None = None

    def answer(self, request: object) -> object:
        """The reply to one request. Raises BenchmarkError for one that comes out of order."""
        match request:
            case LoadRow() | LoadProducts() if self._row or self._products:
                raise BenchmarkError("this worker has loaded its engine already; start another one")
            case MeasureGpu():
                from ..gpu.measure import measure_row

                return measure_row(request, self._ticker)
            case LoadRow():
                self._row = RowTimer(request)
                return self._row.loaded
            case LoadProducts():
                self._products = ProductTimer(request)
                return self._products.loaded
            case RunTurn() if self._row:
                return self._row.turn(request, self._ticker)
            case RunSustained() if self._row:
                return self._row.sustained(request, self._ticker)
            case RunProducts() if self._products:
                return self._products.run(request)
            case _:
                raise BenchmarkError(f"{type(request).__name__} before anything was loaded for it")


def parse(line: str) -> object:
    """The request in one line. Raises BenchmarkError for a line that holds none."""
    try:
        message = json.loads(line)
        kind = REQUESTS[message["request"]]
        return from_json(kind, message["body"], kind.__name__)
    except (ValueError, KeyError, TypeError):
        raise BenchmarkError(f"not a request: {line.strip()[:100]!r}") from None


def claim_stdout() -> TextIO:
    """The wire, taken away from everybody else: what a library prints, from C too, lands on stderr."""
    wire = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return wire


def main() -> None:
    # Ctrl-C reaches the whole group; the parent decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wire = claim_stdout()

    def say(message: Any) -> None:
        wire.write(json.dumps(message) + "\n")
        wire.flush()

    worker = Worker(say)
    for line in sys.stdin:
        try:
            say({"reply": to_json(worker.answer(parse(line)))})
        except OSTrackEdgeError as error:
            say({"error": str(error), "type": type(error).__name__})
        except Exception as error:
            # A library may raise anything; the row says what, and the other rows go on.
            first = str(error).strip().splitlines()[:1]
            say({"error": ": ".join([type(error).__name__, *first]), "type": type(error).__name__})


if __name__ == "__main__":
    main()
