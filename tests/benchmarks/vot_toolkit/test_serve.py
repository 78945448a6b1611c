from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from ostrack_edge import Tracker
from ostrack_edge.benchmarks.vot_toolkit import Message, parse_message, serve
from ostrack_edge.datasets import Scene
from ostrack_edge.runtime.errors import BenchmarkError, FootageError, InputError
from ostrack_edge.runtime.geometry import Box


class Found(NamedTuple):
    box: Box
    score: float


class Steps:
    """A tracker that moves its box by a pixel in every frame."""

    def __init__(self) -> None:
        self.box = Box(0, 0, 0, 0)
        self.seen: list[int] = []

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        if box[2] <= 0:
            raise InputError('the "box" is empty')
        self.box = Box(*box)
        self.seen.append(int(frame[0, 0, 0]))

    def update(self, frame: np.ndarray) -> Found:
        self.box = self.box._replace(x=self.box.x + 1)
        self.seen.append(int(frame[0, 0, 0]))
        return Found(self.box, 0.25)


def read_image(path: Path) -> np.ndarray:
    if path == Path("/none.jpg"):
        raise FootageError("/none.jpg cannot be read: it is not there")
    return np.full((4, 4, 3), int(path.stem), np.uint8)


class Conversation:
    """What a tracker answers to lines; `messages` holds it also where it fails."""

    def __init__(self) -> None:
        self.tracker = Steps()
        self.messages: list[Message] = []

    def hold(self, *lines: str) -> Conversation:
        serve(self.tracker, [f"{line}\n" for line in lines], self._send, read_image, "steps")
        return self

    def _send(self, line: str) -> None:
        message = parse_message(line)
        assert message is not None
        self.messages.append(message)


def states(messages: list[Message]) -> list[str]:
    return [message.arguments[0] for message in messages if message.kind == "state"]


def test_a_target_is_named_then_followed() -> None:
    talk = Conversation().hold(
        '@@TRAX:initialize "10,20,30,40" ',
        '@@TRAX:frame "file:///1.jpg" ',
        "what a library prints",
        '@@TRAX:frame "file:///2.jpg" ',
        "@@TRAX:quit",
        '@@TRAX:frame "file:///3.jpg" ',
    )
    assert talk.messages[0].kind == "hello"
    assert talk.messages[0].properties["trax.region"] == "rectangle;"
    assert talk.messages[0].properties["trax.name"] == "steps"
    assert states(talk.messages) == ["10.0000,20.0000,30.0000,40.0000", "11.0000,20.0000,30.0000,40.0000"]
    assert [m.properties["confidence"] for m in talk.messages[1:]] == ["1.000000", "0.250000"]
    assert talk.tracker.seen == [1, 2]


def test_an_older_client_sends_the_image_with_the_target() -> None:
    talk = Conversation().hold(
        '@@TRAX:initialize "file:///1.jpg" "10,20,30,40"',
        '@@TRAX:frame "file:///2.jpg"',
    )
    assert states(talk.messages) == ["10.0000,20.0000,30.0000,40.0000", "11.0000,20.0000,30.0000,40.0000"]
    assert talk.tracker.seen == [1, 2]


def test_one_process_follows_one_target_after_another() -> None:
    talk = Conversation().hold(
        '@@TRAX:initialize "10,20,30,40"',
        '@@TRAX:frame "file:///1.jpg"',
        "@@TRAX:initialize ",
        '@@TRAX:initialize "5,6,7,8.5"',
        '@@TRAX:frame "file:///7.jpg"',
        '@@TRAX:frame "file:///8.jpg"',
    )
    assert states(talk.messages)[1:] == ["5.0000,6.0000,7.0000,8.5000", "6.0000,6.0000,7.0000,8.5000"]
    assert talk.tracker.seen == [1, 7, 8]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['@@TRAX:frame "file:///1.jpg"'], "before it had named a target"),
        (['@@TRAX:initialize "1,2,3,4"', "@@TRAX:initialize", '@@TRAX:frame "file:///1.jpg"'], "before it had named"),
        (
            [
                '@@TRAX:initialize "1,2,3,4"',
                '@@TRAX:frame "file:///1.jpg"',
                "@@TRAX:initialize",
                '@@TRAX:frame "file:///2.jpg"',
            ],
            "before it had named",
        ),
        (['@@TRAX:initialize "1,2,3,4,5,6"'], "one target as x,y,width,height, and sent 1,2,3,4,5,6"),
        (['@@TRAX:initialize "1,2,3,4" "1,2,3,4"'], "sent 1,2,3,4 and 1,2,3,4"),
        (['@@TRAX:initialize "m0,0,2,2,0,4"'], "sent m0,0,2,2,0,4"),
        (['@@TRAX:initialize "1,2,3,4"', '@@TRAX:frame "data:image/jpeg;base64;x"'], "a frame without an image file"),
        (["@@TRAX:state"], "of a kind that no tracker takes: 'state'"),
    ],
)
def test_what_cannot_be_served_ends_with_the_reason(lines: list[str], said: str) -> None:
    talk = Conversation()
    with pytest.raises(BenchmarkError, match=said):
        talk.hold(*lines)
    assert talk.messages[-1].kind == "quit"
    assert said in talk.messages[-1].properties["trax.reason"]


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (InputError, ['@@TRAX:initialize "1,2,0,4"', '@@TRAX:frame "file:///1.jpg"']),
        (FootageError, ['@@TRAX:initialize "1,2,3,4"', '@@TRAX:frame "file:///none.jpg"']),
    ],
)
def test_the_toolkit_hears_why_a_tracker_gave_up(error: type[Exception], lines: list[str]) -> None:
    talk = Conversation()
    with pytest.raises(error) as raised:
        talk.hold(*lines)
    assert talk.messages[-1].properties["trax.reason"] == str(raised.value)


def test_a_bundle_answers_in_a_process_of_its_own(tiny_bundle: Path, tmp_path: Path) -> None:
    import cv2

    scene = Scene(160, 120, frames=3)
    folder = tmp_path / "some frames"
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}.png"), scene.frame(i))
    start = ",".join(f"{v:.4f}" for v in scene.box(0))
    lines = [f'@@TRAX:initialize "{start}" ', *(f'@@TRAX:frame "file://{folder}/{i}.png" ' for i in range(3))]
    command = [sys.executable, "-m", "ostrack_edge.benchmarks.vot_toolkit", "track", str(tiny_bundle), "--threads", "1"]
    done = subprocess.run(
        command, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    messages = [message for message in map(parse_message, done.stdout.splitlines()) if message]
    assert [message.kind for message in messages] == ["hello", "state", "state", "state"]

    tracker = Tracker.load(tiny_bundle, threads=1)
    tracker.init(scene.frame(0), [float(v) for v in start.split(",")])
    for i, said in zip((1, 2), states(messages)[1:], strict=True):
        assert [float(v) for v in said.split(",")] == pytest.approx(tracker.update(scene.frame(i)).box, abs=1e-3)


def test_a_failure_is_one_sentence_and_the_toolkit_hears_it(tiny_bundle: Path) -> None:
    command = [sys.executable, "-m", "ostrack_edge.benchmarks.vot_toolkit", "track", str(tiny_bundle)]
    lines = '@@TRAX:initialize "1,2,3,4"\n@@TRAX:frame "file:///no/such/frame.jpg"\n'
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: /no/such/frame.jpg cannot be read")
    assert done.stderr.count("\n") == 1
    assert '@@TRAX:quit "trax.reason=/no/such/frame.jpg cannot be read' in done.stdout


NOISY = """
import os, sys
from ostrack_edge.runtime.tracker import Tracker

load = Tracker.load

def noisy(*args, **kwargs):
    print("half a line", end="", flush=True)
    os.write(1, b" of another")
    return load(*args, **kwargs)

Tracker.load = noisy
from ostrack_edge.benchmarks.vot_toolkit.__main__ import app
app(["track", sys.argv[1], "--threads", "1"], standalone_mode=False)
"""


@pytest.mark.parametrize("errors", [subprocess.PIPE, subprocess.STDOUT])
def test_what_libraries_print_stays_out_of_the_conversation(tiny_bundle: Path, errors: int) -> None:
    command = [sys.executable, "-c", NOISY, str(tiny_bundle)]
    done = subprocess.run(command, input="@@TRAX:quit\n", stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line]
    assert lines[-1].startswith("@@TRAX:hello")
    assert lines[:-1] == ([] if errors == subprocess.PIPE else ["half a line of another"])
