"""A bar on stderr, where that is a terminal: frames done, time gone and time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class FrameProgress:
    """Hears how a run goes on."""

    def __init__(self, bar: Progress, frames: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=frames)

    def begin(self, name: str) -> None:
        """Something of this name has begun."""
        self._bar.update(self._task, description=name, refresh=True)

    def advance(self, frames: int) -> None:
        """So many more frames are done."""
        self._bar.update(self._task, advance=frames, refresh=True)

    def reach(self, frames: int) -> None:
        """So many frames are done in all."""
        self._bar.update(self._task, completed=frames, refresh=True)


@contextmanager
def frame_progress(frames: int | None) -> Iterator[FrameProgress]:
    """frames: how many there are in all, None where nobody knows."""
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames,"),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("left  {task.description}"),
    )
    # Drawn when told to: a thread that refreshes would take time from what is measured.
    bar = Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal)
    with bar:
        yield FrameProgress(bar, frames)
