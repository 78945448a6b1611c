"""A run from its folder: processes, devices, and what the user sees.

With several devices Fabric starts the same command again for each, so that nothing may be written before it has. What
can be refused is refused by the first process, in one sentence, and the others end with it.
"""

from __future__ import annotations

import logging
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..export.model import OSTrack
from ..runtime.errors import InputError, OSTrackEdgeError
from .begin import begin, check_free, check_plan, network_of, teacher_network
from .data.mixture import Mixture, open_mixture
from .distil import Teacher
from .loop import Outcome, Pace, train
from .plan import NETWORK, Plan, read_plan
from .recipe import Precision
from .validate import Scores

ACCELERATORS = ("auto", "cpu", "cuda")

_PATIENCE = 3.0
"""Seconds in which a process that failed waits for the first one to say so, where all of them fail alike."""

_FAREWELL = 10.0
"""Seconds that a process may take from closing its connections to its end."""


@dataclass(frozen=True)
class Machine:
    """devices: GPUs, or processes where there are none. workers: processes that make pairs, for each device. threads:
    of the CPU, for each device; None leaves them as they are."""

    devices: int = 1
    accelerator: str = "auto"
    workers: int = 1
    threads: int | None = None


def start(folder: Path, plan: Plan, machine: Machine, console: Console) -> Outcome:
    """Make the run's folder and train in it, as far as it goes. Nothing is left behind where the run cannot begin."""
    check_plan(plan, machine.devices)
    return _follow(folder, plan, machine, console, fresh=True)


def follow(folder: Path, machine: Machine, console: Console) -> Outcome:
    """Train what `folder` plans, from where it stands, as far as it goes."""
    plan = read_plan(folder)
    check_plan(plan, machine.devices)
    return _follow(folder, plan, machine, console, fresh=False)


def device_kind(accelerator: str) -> str:
    """ "cpu" or "cuda". Raises InputError for a GPU that is not there."""
    if accelerator not in ACCELERATORS:
        raise InputError(f"--accelerator is {accelerator!r}; choose {', '.join(ACCELERATORS)}")
    there = torch.cuda.is_available()
    if accelerator == "cuda" and not there:
        raise InputError("--accelerator is cuda, and PyTorch finds no GPU here; choose cpu, or mend the driver")
    return "cuda" if there and accelerator != "cpu" else "cpu"


def _follow(folder: Path, plan: Plan, machine: Machine, console: Console, fresh: bool) -> Outcome:
    kind = device_kind(machine.accelerator)
    if kind == "cuda" and machine.devices > torch.cuda.device_count():
        raise InputError(f"--devices is {machine.devices}, and there are {torch.cuda.device_count()} GPUs")
    if kind == "cpu" and plan.recipe.precision is Precision.FP16:
        raise InputError("16-mixed needs a GPU; choose bf16-mixed or 32-true")
    _silence()
    fabric = Fabric(accelerator=kind, devices=machine.devices, precision=plan.recipe.precision.value)
    with _together(fabric):
        # Fabric chooses a number of threads of its own when it starts several processes.
        if machine.threads is not None:
            torch.set_num_threads(machine.threads)
        if fresh:
            _first_alone(fabric, lambda: check_free(folder))
        parts = _opened_together(fabric, folder, plan)
        if fresh:
            _first_alone(fabric, lambda: begin(folder, plan))
        with _Screen(console, fabric.global_rank == 0) as screen:
            pace = Pace(workers=machine.workers)
            outcome = train(fabric, plan, parts.network, parts.mixture, folder, pace, screen, parts.teacher)
        fabric.barrier()
    if fabric.global_rank != 0:
        # A process that ends with a signal's code would have Fabric kill the first one.
        return Outcome(outcome.finished, outcome.step)
    what = "finished" if outcome.finished else f"stopped; go on with: ostrack-train resume {folder}"
    console.print(
        f"{folder / NETWORK}: {outcome.step} of {plan.recipe.optimisation.steps} steps, {what}", soft_wrap=True
    )
    return outcome


@dataclass(frozen=True)
class _Parts:
    network: OSTrack
    teacher: Teacher | None
    mixture: Mixture


def _opened_together(fabric: Fabric, folder: Path, plan: Plan) -> _Parts:
    found: list[_Parts] = []
    _first_alone(fabric, lambda: found.append(_opened(folder, plan)))
    return found[0] if found else _opened(folder, plan)


def _opened(folder: Path, plan: Plan) -> _Parts:
    """What the training needs, tried out: the first pair of each source is drawn."""
    network, teacher = network_of(folder, plan), teacher_network(plan)
    mixture = open_mixture(plan.data, plan.hold_back, plan.recipe.max_gap)
    for weighted in (*mixture.training, *mixture.validation):
        weighted.source.draw(np.random.default_rng(plan.recipe.seed))
    return _Parts(network, None if teacher is None else Teacher(teacher), mixture)


def _first_alone(fabric: Fabric, work: Callable[[], object]) -> None:
    """Do something in the first process, the others waiting. Where it raises, the others leave in silence."""
    problem: Exception | None = None
    if fabric.global_rank == 0:
        try:
            work()
        except Exception as error:
            problem = error
    refused = fabric.broadcast(problem is not None)
    if problem is not None:
        raise problem
    if refused:
        raise SystemExit(0)


@contextmanager
def _together(fabric: Fabric) -> Iterator[None]:
    """Launch the processes, and end them together."""
    fabric.launch()
    others = getattr(getattr(fabric.strategy, "launcher", None), "procs", [])
    try:
        yield
    except BaseException as error:
        if fabric.global_rank == 0:
            lost = not isinstance(error, (OSTrackEdgeError, KeyboardInterrupt, SystemExit)) and _has_failed(others)
            for process in others:
                # A process that waits in an exchange would not hear anything gentler; it has nothing to write.
                process.kill()
            if lost:
                # The one that failed has said why; this one only lost its company.
                raise SystemExit(1) from None
        elif not isinstance(error, SystemExit):
            # Where all fail alike, the first one speaks, and kills this one.
            time.sleep(_PATIENCE)
        raise
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _has_failed(processes: list[subprocess.Popen[bytes]]) -> bool:
    """Whether one of them has, or is about to: its connections close some time before it ends."""
    until = time.monotonic() + _FAREWELL if processes else 0
    while time.monotonic() < until:
        if any(process.poll() not in (None, 0) for process in processes):
            return True
        time.sleep(0.05)
    return False


def _silence() -> None:
    """Quieten what libraries say about themselves: precision, tips, and how many cores a loader should have."""
    for name in ("lightning_fabric", "lightning_utilities", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*suggested max number of worker")
    warnings.filterwarnings("ignore", category=UserWarning, module="lightning_fabric")


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
            self._console.print(f"step {step} of {steps}: {text}", soft_wrap=True)

    def validated(self, step: int, scores: Scores) -> None:
        self._console.print(
            f"step {step}, held back: IoU {scores.mean_iou:.3f}, AUC {scores.auc:.3f}, "
            f"centre within half a cell {scores.precise:.1%} of {scores.pairs} pairs",
            soft_wrap=True,
        )
