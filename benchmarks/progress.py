"""A progress bar on stderr that draws only when told to: a refresh thread would take time from what is measured."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class StepProgress:
    """Counts `steps`; silent where stderr is no terminal. Use with `with`."""

    def __init__(self, steps: int) -> None:
        console = Console(stderr=True)
        columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._bar = Progress(
            *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
        )
        self._task = self._bar.add_task("", total=steps)
        self._done = 0

    def __enter__(self) -> StepProgress:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def begin(self, text: str) -> None:
        """A step begins."""
        self._bar.update(self._task, description=text, completed=self._done, refresh=True)

    def within(self, share: float) -> None:
        """How much of the step is done, 0..1."""
        self._bar.update(self._task, completed=self._done + min(share, 1.0), refresh=True)

    def end(self) -> None:
        """The step is over; the bar is drawn with the next one's name."""
        self._done += 1
