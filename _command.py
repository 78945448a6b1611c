"""What the command lines share: how they end, how they say that something went wrong, how they read their values, and
what they take where no model is named.

Exit codes: 0 done, 1 an error of this package or of the machine (one sentence on stderr), 2 a wrong argument,
130 interrupted with Ctrl-C, 143 terminated.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from typer.main import get_command

from .models import DEFAULT_NAME, default_bundle, default_card, default_checkpoint
from .runtime.errors import InputError, OSTrackEdgeError
from .runtime.files import os_sentence
from .runtime.geometry import Box, check_box

# Typer builds on click, in newer releases on a copy of its own: the base of all usage errors is found from what Typer
# itself exports, so that either serves.
_UsageProblem: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_PIPE_WIDTH = 120


def run_app(app: typer.Typer) -> NoReturn:
    """Run a Typer app and leave the process: an expected error becomes one sentence, any other a plain traceback."""
    # The video library reports on stderr what the sentence then says again; who wants its view sets the variables.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # A terminated build cleans up after itself, as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        # Not standalone: Typer would print its own boxes and end the process before the sentences below.
        code = get_command(app).main(standalone_mode=False)
        sys.stdout.flush()
    except OSTrackEdgeError as error:
        _leave(str(error))
    except _UsageProblem as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            # A command that was given nothing shows its help; newer releases of click call that an error.
            print(getattr(error, "message", ""), file=sys.stderr)
            sys.exit(2)
        _leave(_usage_sentence(error), getattr(error, "exit_code", 2))
    except (KeyboardInterrupt, typer.Abort):
        _leave("interrupted", 130)
    except OSError as error:
        _leave_after(error)
    except SystemExit as left:
        # click takes every broken pipe for stdout's, and leaves without a word.
        if isinstance(left.__context__, BrokenPipeError):
            _leave_after(left.__context__)
        raise
    if code == 130:
        _leave("interrupted", 130)
    sys.exit(code if isinstance(code, int) else 0)


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `run_app`: Rich would point stdout at nothing first, and whose pipe broke could not be told."""
        raise


def console() -> Console:
    """Where tables go: stdout. Paths and pip commands in it keep their brackets; into a pipe it is wide enough."""
    return _Output(markup=False, highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def bundle_or_default(bundle: Path | None) -> Path:
    """The bundle that was named; without one the default model's, which stderr is told. Raises BundleError."""
    if bundle is not None:
        return bundle
    found = default_bundle()
    _say_default("bundle")
    return found


def checkpoint_or_default(checkpoint: Path | None) -> Path:
    """The checkpoint that was named; without one the default model's, which stderr is told. Raises CheckpointError."""
    if checkpoint is not None:
        return checkpoint
    found = default_checkpoint()
    _say_default("checkpoint")
    return found


def _say_default(what: str) -> None:
    # On stderr: what a command gives out may be read by a program.
    print(f"no {what} given: the default model {DEFAULT_NAME}, described in {default_card()}", file=sys.stderr)


def parse_box(text: str) -> Box:
    """A Box from "X,Y,W,H", pixels of the frame. Raises typer.BadParameter."""
    values = _numbers(text, float, "a box is four numbers X,Y,W,H in pixels, such as 120,80,64,48")
    if len(values) != 4:
        raise typer.BadParameter(f"a box is four numbers X,Y,W,H in pixels, not {len(values)}: {text!r}")
    try:
        return check_box(values)
    except InputError as error:
        raise typer.BadParameter(str(error)) from None


def parse_keep_ratio(text: str) -> float | tuple[float, ...]:
    """A float from "0.7", a tuple with one per elimination stage from "0.7,0.7,0.8". Raises typer.BadParameter."""
    values = _numbers(text, float, "a keep ratio is a number such as 0.7, or one per stage such as 0.7,0.7,0.8")
    for value in values:
        if not 0 < value <= 1:
            raise typer.BadParameter(f"keep ratio {value:g} is outside (0, 1]; 1 switches elimination off")
    return values[0] if len(values) == 1 else values


def parse_blocks(text: str) -> tuple[int, ...]:
    """Rising block numbers, counted from 0, from "3,6,9". Raises typer.BadParameter."""
    blocks = _numbers(text, int, "elimination blocks are whole numbers counted from 0, such as 3,6,9")
    if blocks[0] < 0 or any(b <= a for a, b in pairwise(blocks)):
        raise typer.BadParameter(f"elimination blocks must rise and start at 0 or later: {text!r}")
    return blocks


def _numbers(text: str, kind: type, expected: str) -> tuple:
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{expected}, not {text!r}") from None


def _usage_sentence(error: Exception) -> str:
    """One line from a usage error, and where to read more."""
    message = " ".join(str(getattr(error, "format_message", error.__str__)()).split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}; see: {context.command_path} --help" if context else message


def _leave(sentence: str, code: int = 1) -> NoReturn:
    # What a command printed before it failed belongs above the error; it may itself be what cannot be written.
    try:
        sys.stdout.flush()
    except OSError:
        _drop_stdout()
    print(sentence if code == 130 else f"error: {sentence}", file=sys.stderr)
    sys.exit(code)


def _leave_after(error: OSError) -> NoReturn:
    if isinstance(error, BrokenPipeError) and _is_stdout_broken():
        # Whoever read our output has gone, as `head` does: nobody is left to tell.
        _drop_stdout()
        sys.exit(1)
    _leave((f"{error.filename}: " if error.filename else "") + os_sentence(error))


def _is_stdout_broken() -> bool:
    """Whether it is stdout whose reader has gone, and not that of a file or a process."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    if not hasattr(select, "poll"):
        # Windows tells in no other way: what was written last may have been dropped with the error.
        return True
    # What was written when the error came is not kept, so that a flush alone would not tell.
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at exit has nowhere to fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
