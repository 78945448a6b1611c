"""What a run's folder says about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ostrack_edge.runtime.errors import TrainingError
from ostrack_edge.train.data.hold_back import HoldBack
from ostrack_edge.train.distil import DistilWeights
from ostrack_edge.train.plan import PLAN, SCHEMA, Origin, Plan, Start, TeacherFile, read_plan, write_plan
from ostrack_edge.train.presets import EDGE, PRESETS
from ostrack_edge.train.recipe import Recipe

START = Start(Origin.CHECKPOINT, "/weights/edge.safetensors", "ab" * 32)


def a_plan(teacher: TeacherFile | None = None) -> Plan:
    recipe = Recipe(distillation=DistilWeights(1, 0.5, 2)) if teacher else PRESETS["edge"].recipe
    return Plan(SCHEMA, "edge", EDGE, ("packed:/data",), HoldBack(("tiger",), 0.1), START, recipe, teacher)


@pytest.mark.parametrize("teacher", [None, TeacherFile("/weights/large.pth.tar", "cd" * 32)])
def test_a_plan_is_read_as_it_was_written(tmp_path: Path, teacher: TeacherFile | None) -> None:
    write_plan(tmp_path, a_plan(teacher))
    assert read_plan(tmp_path) == a_plan(teacher)


def test_a_plan_from_before_a_choice_has_its_default(tmp_path: Path) -> None:
    write_plan(tmp_path, a_plan())
    data = json.loads((tmp_path / PLAN).read_text())
    del data["teacher"], data["recipe"]["distillation"], data["recipe"]["losses"]["guidance"]
    (tmp_path / PLAN).write_text(json.dumps(data))
    read = read_plan(tmp_path)
    assert read.teacher is None
    assert read.recipe.distillation == DistilWeights()
    assert read.recipe.losses.guidance == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"holds no run \(no plan.json\); start one with: ostrack-train run"),
        ("{", "cannot be read"),
        ("[]", "another version"),
        ('{"schema": 99}', "another version"),
        ('{"schema": 1}', "is damaged .* lacks preset"),
        ('{"schema": 1, "preset": 3}', "is damaged"),
    ],
)
def test_what_is_no_plan(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / PLAN).write_text(text)
    with pytest.raises(TrainingError, match=said):
        read_plan(tmp_path)
