"""Where a run stands: enough to go on as if it had never been stopped."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..runtime.errors import OutputError, TrainingError
from ..runtime.files import whole_or_nothing
from .plan import LOG, STATE

Terms: TypeAlias = list[dict[str, Tensor]]
"""Of each step since the last line of the log, its losses by name: scalars."""


class State(TypedDict):
    """step: steps done; scaler: of 16-mixed gradients, empty otherwise; terms: what the next line of the log says."""

    step: int
    module: dict[str, Any]
    optimizers: list[dict[str, Any]]
    scaler: dict[str, Any]
    terms: Terms


def save_state(
    folder: Path, module: nn.Module, optimizers: list[Optimizer], scaler: dict[str, Any], terms: Terms, step: int
) -> None:
    """Replace the state in one step. Raises OutputError."""
    state = State(
        step=step,
        module=module.state_dict(),
        optimizers=[optimizer.state_dict() for optimizer in optimizers],
        scaler=scaler,
        terms=terms,
    )
    with whole_or_nothing(folder / STATE) as partial:
        try:
            torch.save(state, partial)
        except RuntimeError as error:  # torch's own writer tells neither file nor reason
            raise OutputError(f"{folder / STATE} cannot be written ({error}); is there room on the disk?") from error


def is_sound(module: nn.Module) -> bool:
    """Whether every weight and statistic is a finite number."""
    return all(bool(value.isfinite().all()) for value in module.state_dict().values())


def load_state(folder: Path) -> State | None:
    """None where nothing has been saved yet. Only tensors and plain values are read. Raises TrainingError."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged archive raises is nowhere said
        raise TrainingError(f"{path} cannot be read ({type(error).__name__}); start the run again") from error
    if isinstance(state, dict):
        state.setdefault("terms", [])  # states of earlier days have none
    if not isinstance(state, dict) or set(state) != set(State.__annotations__) or not _is_count(state["step"]):
        raise TrainingError(f"{path} holds no state of a run; start the run again")
    return state  # type: ignore[return-value]


def restore(state: State, module: nn.Module, optimizers: list[Optimizer], folder: Path) -> None:
    """Raises TrainingError where the state is another network's."""
    try:
        module.load_state_dict(state["module"])
        for optimizer, values in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
    except Exception as error:  # what torch raises over another network's numbers is nowhere said
        raise TrainingError(
            f"{folder / STATE} does not fit the plan beside it ({error}); put the old plan back, or start the run again"
        ) from None


def cut_log(folder: Path, step: int) -> None:
    """Drop the lines after `step`: they will be made again. A line that was cut short goes too. Raises OutputError."""
    path = folder / LOG
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    kept = [line for line in lines if _step_of(line) <= step]
    with whole_or_nothing(path) as partial:
        partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _step_of(line: str) -> float:
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return math.inf
    return step if _is_count(step) else math.inf


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0
