"""The plan of a run: what its folder holds from the first moment, so that it can be resumed, and made again."""

from __future__ import annotations

import dataclasses
import json
import typing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ..runtime.errors import BundleError, TrainingError
from ..runtime.files import whole_or_nothing
from ..runtime.manifest import from_json, to_json
from ..runtime.network import NetworkGeometry
from .data.hold_back import HoldBack
from .recipe import Recipe

SCHEMA = 1
PLAN, STATE, LOG, NETWORK = "plan.json", "state.pt", "log.jsonl", "network.safetensors"
"""What a run's folder holds: the plan, where it stands, a line of figures every so often, the network as it is."""


class Origin(str, Enum):
    """What the weights were at the start: made up, a plain pretrained ViT's, or a tracker's."""

    FRESH = "fresh"
    PLAIN_VIT = "plain-vit"
    CHECKPOINT = "checkpoint"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Start:
    """path and sha256 of the file the weights came from; None for a fresh network."""

    origin: Origin
    path: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class TeacherFile:
    """The checkpoint that a run learns from."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Plan:
    """data: sources as `--data` takes them, with absolute paths. preset: whose recipe this was before options, or the
    recipe's file."""

    schema: int
    preset: str
    geometry: NetworkGeometry
    data: tuple[str, ...]
    hold_back: HoldBack
    start: Start
    recipe: Recipe
    teacher: TeacherFile | None = None


def write_plan(folder: Path, plan: Plan) -> None:
    """Raises OutputError."""
    with whole_or_nothing(folder / PLAN) as partial:
        partial.write_text(json.dumps(to_json(plan), indent=1) + "\n", encoding="utf-8")


def read_plan(folder: Path) -> Plan:
    """Raises TrainingError for a folder that holds no run, or one that is damaged or of another version."""
    path = folder / PLAN
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrainingError(f"{folder} holds no run (no {PLAN}); start one with: ostrack-train run") from None
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path} cannot be read ({error}); start the run again") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise TrainingError(f"{path} is of another version of this package; finish the run with that one")
    try:
        return from_json(Plan, completed(Plan, data), PLAN)
    except BundleError as error:
        raise TrainingError(f"{path} is damaged ({error}); start the run again") from None


def completed(kind: type, data: Any) -> Any:
    """Parsed JSON of a dataclass with what it lacks at its default: a choice that there was not when it was written."""
    if not (isinstance(data, dict) and dataclasses.is_dataclass(kind)):
        return data
    whole, hints = dict(data), typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in whole:
            whole[field.name] = completed(hints[field.name], whole[field.name])
        elif field.default is not dataclasses.MISSING:
            whole[field.name] = to_json(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            whole[field.name] = to_json(field.default_factory())
    return whole
