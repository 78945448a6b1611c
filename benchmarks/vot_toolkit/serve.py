"""A tracker that answers the VOT toolkit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...runtime.errors import BenchmarkError, OSTrackEdgeError
from ...runtime.geometry import Box
from .trax import VERSION, Message, format_message, parse_message, region

_FILE = "file://"


class Follower(Protocol):
    """What `Tracker` is: `update` gives an object with `box` and `score`."""

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None: ...

    def update(self, frame: np.ndarray) -> Any: ...


def serve(
    tracker: Follower,
    lines: Iterable[str],
    send: Callable[[str], object],
    read_image: Callable[[Path], np.ndarray],
    name: str = "ostrack-edge",
) -> None:
    """Introduce the tracker, then answer every frame that `lines` bring, until they end or say quit.

    Several targets may follow one another. read_image: uint8 [H, W, 3], BGR, of a file. After an error the toolkit is
    told the reason and the error goes on: BenchmarkError for a message that cannot be served, and what the tracker and
    `read_image` raise.
    """
    properties = {
        "trax.name": name,
        "trax.version": str(VERSION),
        "trax.image": "path;",
        "trax.region": "rectangle;",
        "trax.channels": "color;",
    }
    send(format_message(Message("hello", (), properties)))
    try:
        _answer(tracker, lines, send, read_image)
    except OSTrackEdgeError as error:
        send(format_message(Message("quit", (), {"trax.reason": str(error)})))
        raise


def _answer(
    tracker: Follower,
    lines: Iterable[str],
    send: Callable[[str], object],
    read_image: Callable[[Path], np.ndarray],
) -> None:
    target: Box | None = None
    following = False
    for line in lines:
        message = parse_message(line)
        if message is None:
            continue
        if message.kind == "quit":
            return
        if message.kind == "initialize":
            # One without a region takes the target away; the next one names another.
            following = False
            target = _target(message) if message.arguments else None
        elif message.kind != "frame":
            raise BenchmarkError(f"the VOT toolkit sent a message of a kind that no tracker takes: {message.kind!r}")
        image = _image(message)
        if image is None:
            if message.kind == "frame":
                raise BenchmarkError("the VOT toolkit sent a frame without an image file")
            continue
        frame = read_image(image)
        if target is not None:
            tracker.init(frame, target)
            box, score, target, following = target, 1.0, None, True
        elif following:
            found = tracker.update(frame)
            box, score = found.box, float(found.score)
        else:
            raise BenchmarkError("the VOT toolkit sent a frame before it had named a target")
        send(format_message(Message("state", (region(box),), {"confidence": f"{score:.6f}"})))


def _target(message: Message) -> Box:
    values = [argument for argument in message.arguments if not argument.startswith(_FILE)]
    try:
        numbers = [float(part) for part in values[0].split(",")] if len(values) == 1 else []
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        shown = " and ".join(value[:40] for value in values) or "nothing"
        raise BenchmarkError(f"the VOT toolkit should name one target as x,y,width,height, and sent {shown}")
    return Box(*numbers)


def _image(message: Message) -> Path | None:
    images = [argument for argument in message.arguments if argument.startswith(_FILE)]
    return Path(images[0].removeprefix(_FILE)) if images else None
