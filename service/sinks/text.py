"""Results as lines of text: JSON lines, CSV, the benchmarks' boxes."""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TextIO

from ...runtime.errors import InputError, OutputError
from ...runtime.files import check_place, os_sentence
from ..frames import CapturedFrame
from ..results import CSV_HEADER, box_line, csv_line, target_json
from ..views import Event, FrameResult

_FLUSH_AFTER = 1.0
"""Seconds after which lines are handed to the system: what a power cut takes is no more than these."""


class LineSink(ABC):
    """Writes lines to `path`, anew, or to stdout where that is `-`. Each line is whole: a run that is killed leaves a
    file that ends with one."""

    wants_frames = False
    capacity = 20_000

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._flushed = 0.0

    @property
    def name(self) -> str:
        return "stdout" if self._to_stdout else str(self._path)

    @property
    def _to_stdout(self) -> bool:
        return str(self._path) == "-"

    def open(self) -> None:
        if self._to_stdout:
            self._file = sys.stdout
        else:
            check_place(self._path)
            try:
                self._file = self._path.open("w", encoding="utf-8", newline="\n")
            except OSError as error:
                raise OutputError(f"{self._path} cannot be written: {os_sentence(error)}") from error
        self._put(self.header())

    def write(self, frame: CapturedFrame | None, result: FrameResult) -> None:
        self._put(self.lines(result))

    def tell(self, event: Event) -> None:
        self._put(self.event_line(event))

    def close(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            # Closing flushes, and lets go of the file even where that fails.
            (file.flush if self._to_stdout else file.close)()
        except OSError as error:
            raise OutputError(f"{self.name} cannot be written: {os_sentence(error)}") from error

    def header(self) -> str:
        return ""

    @abstractmethod
    def lines(self, result: FrameResult) -> str:
        """What one frame adds: whole lines, or nothing."""

    def event_line(self, event: Event) -> str:
        return ""

    def _put(self, text: str) -> None:
        if not text or self._file is None:
            return
        try:
            self._file.write(text)
            now = time.monotonic()
            if now - self._flushed > _FLUSH_AFTER:
                self._file.flush()
                self._flushed = now
        except OSError as error:
            raise OutputError(f"{self.name} cannot be written: {os_sentence(error)}") from error


def result_json(result: FrameResult) -> str:
    """One frame as one line of JSON, without its end."""
    return json.dumps(
        {
            "frame": result.number,
            "time": round(result.wall, 3),
            "size": list(result.size),
            "latency_ms": round(result.latency_ms, 2),
            "targets": [target_json(target) for target in result.targets],
        }
    )


def event_json(event: Event) -> str:
    """One event as one line of JSON, without its end."""
    return json.dumps(
        {
            "event": str(event.kind),
            "time": round(event.wall, 3),
            "text": event.text,
            "target": event.target,
            "name": event.name or None,
            "state": event.state or None,
            "box": None if event.box is None else [round(v, 2) for v in event.box],
        }
    )


class JsonLines(LineSink):
    """One line per frame, and one per event, which has the key `event`."""

    def lines(self, result: FrameResult) -> str:
        return result_json(result) + "\n"

    def event_line(self, event: Event) -> str:
        return event_json(event) + "\n"


class CsvLines(LineSink):
    """One line per frame and target, under a header."""

    def header(self) -> str:
        return CSV_HEADER

    def lines(self, result: FrameResult) -> str:
        return "".join(csv_line(result.number, result.wall, target) for target in result.targets)


class BoxLines(LineSink):
    """The first target's line `x,y,w,h` for every frame, as benchmarks read results; four `nan` where it is lost or
    gone."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._target: int | None = None

    def lines(self, result: FrameResult) -> str:
        if self._target is None and result.targets:
            self._target = result.targets[0].id
        target = next((t for t in result.targets if t.id == self._target), None)
        return box_line(target.box if target else None)


_BY_SUFFIX = {".jsonl": JsonLines, ".csv": CsvLines, ".txt": BoxLines}


def line_sink(path: Path) -> LineSink:
    """The sink for a file by its name's end. Raises InputError for another end."""
    kind = JsonLines if str(path) == "-" else _BY_SUFFIX.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"{path} is no name for results: end it in .jsonl (JSON lines), .csv, or .txt (the benchmarks' x,y,w,h), "
            "or give - for JSON lines on stdout"
        )
    return kind(path)
