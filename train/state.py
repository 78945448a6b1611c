"""Where a run stands: enough to go on as if it had never been stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import nn
from torch.optim import Optimizer

from ..runtime.errors import TrainingError
from ..runtime.files import whole_or_nothing
from .plan import LOG, STATE


class State(TypedDict):
    """step: steps done; scaler: of 16-mixed gradients, empty otherwise."""

    step: int
    module: dict[str, Any]
    optimizers: list[dict[str, Any]]
    scaler: dict[str, Any]


def save_state(folder: Path, module: nn.Module, optimizers: list[Optimizer], scaler: dict[str, Any], step: int) -> None:
    """Replace the state in one step. Raises OutputError."""
    state = State(
        step=step,
        module=module.state_dict(),
        optimizers=[optimizer.state_dict() for optimizer in optimizers],
        scaler=scaler,
    )
    with whole_or_nothing(folder / STATE) as partial:
        torch.save(state, partial)


def load_state(folder: Path) -> State | None:
    """None where nothing has been saved yet. Only tensors and plain values are read. Raises TrainingError."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged archive raises is nowhere said
        raise TrainingError(f"{path} cannot be read ({type(error).__name__}); start the run again") from error
    if not isinstance(state, dict) or set(state) != set(State.__annotations__):
        raise TrainingError(f"{path} holds no state of a run; start the run again")
    return state  # type: ignore[return-value]


def restore(state: State, module: nn.Module, optimizers: list[Optimizer], folder: Path) -> None:
    """Raises TrainingError where the state is another network's."""
    try:
        module.load_state_dict(state["module"])
        for optimizer, values in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder / STATE} does not fit the plan beside it: {error}") from None


def cut_log(folder: Path, step: int) -> None:
    """Drop the lines after `step`: they will be made again. A last line that was cut short goes too."""
    path = folder / LOG
    if not path.exists():
        return
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step_of(line) <= step]
    with whole_or_nothing(path) as partial:
        partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
