"""A run from its folder: processes, devices, and what the user sees."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..runtime.errors import OutputError
from .begin import first_network
from .data.mixture import open_mixture
from .loop import Outcome, Pace, train
from .plan import NETWORK, PLAN, Plan, read_plan, write_plan
from .validate import Scores


def begin(folder: Path, plan: Plan) -> None:
    """Make a run's folder and write its plan. Raises OutputError where a run is there already."""
    if (folder / PLAN).exists():
        raise OutputError(f"{folder} holds a run already; go on with it: ostrack-train resume {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    write_plan(folder, plan)


def follow(
    folder: Path, devices: int, accelerator: str, workers: int, threads: int | None, console: Console
) -> Outcome:
    """Train what `folder` plans, as far as it goes, and say how."""
    plan = read_plan(folder)
    if threads is not None:
        torch.set_num_threads(threads)
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=plan.recipe.precision.value)
    fabric.launch()
    mixture = open_mixture(plan.data, plan.hold_back, plan.recipe.max_gap)
    with _Screen(console, fabric.global_rank == 0) as screen:
        outcome = train(fabric, plan, first_network(plan), mixture, folder, Pace(workers=workers), screen)
    if fabric.global_rank == 0:
        what = "finished" if outcome.finished else f"stopped; go on with: ostrack-train resume {folder}"
        console.print(f"{folder / NETWORK}: {outcome.step} of {plan.recipe.optimisation.steps} steps, {what}")
    return outcome


class _Screen:
    """A bar where stderr is a terminal, a line every so often where it is not."""

    def __init__(self, console: Console, shown: bool) -> None:
        self._console, self._shown = console, shown
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        bar_here = shown and console.is_terminal
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not bar_here)
        self._task = self._bar.add_task("training")

    def __enter__(self) -> _Screen:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def step(self, step: int, steps: int, line: dict[str, float]) -> None:
        text = f"loss {line['loss']:.3f}  IoU {line['iou']:.3f}  {line['pairs_per_second']:.0f} pairs/s"
        self._bar.update(self._task, completed=step, total=steps, description=text)
        if not self._console.is_terminal:
            self._console.print(f"step {step} of {steps}: {text}")

    def validated(self, step: int, scores: Scores) -> None:
        self._console.print(
            f"step {step}, held back: IoU {scores.mean_iou:.3f}, AUC {scores.auc:.3f}, "
            f"centre within half a cell {scores.precise:.1%} of {scores.pairs} pairs"
        )
