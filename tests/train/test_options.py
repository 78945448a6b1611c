"""What options make of a preset, and which recipes can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ostrack_edge.export import save_network, untrained_network
from ostrack_edge.runtime.errors import CheckpointError, InputError, OSTrackEdgeError
from ostrack_edge.runtime.network import NetworkGeometry, TemplateTokens
from ostrack_edge.train.data.crops import Jitter
from ostrack_edge.train.distil import EVERYTHING, DistilWeights
from ostrack_edge.train.options import (
    GeometryOptions,
    RecipeOptions,
    choose,
    parse_distil,
    planned_geometry,
    planned_recipe,
    read_recipe,
    recipe_json,
)
from ostrack_edge.train.presets import EDGE, PRESETS
from ostrack_edge.train.recipe import Optimizer, Precision

WIDE = NetworkGeometry("wide", 32, 64, 2.0, 5.0, 64, 2, 1, 128, 8, (1,), (0.6,), TemplateTokens.BOX)


def geometry_with(**options: Any) -> NetworkGeometry:
    return planned_geometry(PRESETS["edge"], GeometryOptions(**options), None)


def test_without_options_a_preset_stays() -> None:
    edge = PRESETS["edge"]
    assert geometry_with() == EDGE
    assert planned_recipe(edge, RecipeOptions(), EDGE, taught=False) == edge.recipe


def test_options_change_the_network() -> None:
    made = geometry_with(width=128, depth=12, head_width=32, search_size=160, search_factor=4.5, keep_ratio=0.8)
    assert (made.width, made.heads, made.mlp_width, made.head_width) == (128, 2, 512, 32)
    assert (made.elimination_blocks, made.keep_ratios) == ((3, 6, 9), (0.8, 0.8, 0.8))
    assert (made.variant, made.search_size, made.search_factor) == ("custom-64-160", 160, 4.5)
    dropped = geometry_with(elimination_blocks=(1, 5), template_tokens=TemplateTokens.ALL)
    assert (dropped.elimination_blocks, dropped.keep_ratios) == ((1, 5), (0.7, 0.7))
    assert dropped.template_tokens is TemplateTokens.ALL
    assert geometry_with(width=96, heads=4).heads == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 100}, "say how many attention heads with --heads"),
        ({"search_size": 100}, "multiple of 16"),
        ({"keep_ratio": (0.7, 0.7)}, "2 keep ratios for 3 elimination blocks"),
        ({"elimination_blocks": (2, 9)}, "lie in 0..7"),
        ({"search_factor": float("nan")}, "search_factor is nan"),
    ],
)
def test_a_network_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OSTrackEdgeError, match=said):
        geometry_with(**options)


def test_fine_tuning_takes_the_network_of_its_weights(tmp_path: Path) -> None:
    weights = tmp_path / "wide.safetensors"
    save_network(weights, untrained_network(WIDE))
    tuned = PRESETS["fine-tune"]
    assert planned_geometry(tuned, GeometryOptions(), weights) == WIDE
    kept = planned_geometry(tuned, GeometryOptions(keep_ratio=0.9), weights)
    assert (kept.keep_ratios, kept.template_tokens) == ((0.9,), TemplateTokens.BOX)
    assert planned_recipe(tuned, RecipeOptions(), WIDE, taught=False).jitter == Jitter(4.5, 0.5)
    assert planned_recipe(tuned, RecipeOptions(), EDGE, taught=False).jitter == Jitter(3.0, 0.25)
    with pytest.raises(InputError, match="give its checkpoint with --init"):
        planned_geometry(tuned, GeometryOptions(), None)
    with pytest.raises(InputError, match="leave out --width and --depth"):
        planned_geometry(tuned, GeometryOptions(width=64, depth=3), weights)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        planned_geometry(tuned, GeometryOptions(), tmp_path / "none")


def test_options_change_the_recipe() -> None:
    options = RecipeOptions(
        epochs=42, batch=32, learning_rate=2e-3, optimizer="adamw", precision="32-true", validate_every=2, seed=9,
        drop_path=0.2, clip_norm=0.5, pairs_per_epoch=640,
    )  # fmt: skip
    made = planned_recipe(PRESETS["edge"], options, EDGE, taught=False)
    how = made.optimisation
    before = PRESETS["edge"].recipe
    scale = 42 / before.optimisation.epochs
    assert (how.epochs, how.decay_epoch) == pytest.approx((42, before.optimisation.decay_epoch * scale))
    moved = (before.elimination.start * scale, before.elimination.end * scale)
    assert (made.elimination.start, made.elimination.end) == pytest.approx(moved)
    assert (how.batch, how.learning_rate, how.optimizer) == (32, 2e-3, Optimizer.ADAMW)
    assert (how.drop_path, how.clip_norm, how.pairs_per_epoch) == (0.2, 0.5, 640)
    assert (made.precision, made.validate_every, made.seed) == (Precision.FP32, 2, 9)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optimizer": "sgd"}, "--optimizer is 'sgd'; choose adamw, muon"),
        ({"precision": "fp16"}, "--precision is 'fp16'; choose 32-true, bf16-mixed, 16-mixed"),
        ({"epochs": 0.0}, "epochs is 0.0"),
        ({"drop_path": 1.0}, "drop_path is 1.0"),
        ({"distil": "score"}, "write it as score=1,box=1,tokens=0.5"),
        ({"distil": "maps=1"}, "write it as"),
        ({"distil": "score=1,score=2"}, "write it as"),
        ({"distil": "score=0"}, "leaves nothing to learn"),
    ],
)
def test_a_recipe_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        planned_recipe(PRESETS["edge"], RecipeOptions(**options), EDGE, taught=True)


def test_a_teacher_teaches_everything_unless_told() -> None:
    edge = PRESETS["edge"]
    assert planned_recipe(edge, RecipeOptions(), EDGE, taught=True).distillation == EVERYTHING
    told = planned_recipe(edge, RecipeOptions(distil="score=1, box=0.5"), EDGE, taught=True)
    assert told.distillation == DistilWeights(1, 0.5, 0) == parse_distil("box=0.5,score=1")


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_can_be_written_and_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(recipe_json(PRESETS[name]))
    label, found = choose(None, path)
    assert label == "recipe.json"
    assert (found.geometry, found.recipe) == (PRESETS[name].geometry, PRESETS[name].recipe)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["recipe"].pop("losses"), "recipe.json.recipe lacks losses"),
        (lambda data: data["recipe"]["losses"].update(dice=1), "has what no recipe has: recipe.losses.dice"),
        (lambda data: data["recipe"]["optimisation"].update(batch="64"), "batch should be int, not str"),
        (lambda data: data["recipe"].update(precision="fp8"), "precision is 'fp8'; known are: 32-true"),
        (lambda data: data["geometry"].update(depth=-1), "depth is -1"),
        (lambda data: data.pop("geometry"), "lacks geometry"),
    ],
)
def test_a_recipe_is_read_strictly(tmp_path: Path, change: Any, said: str) -> None:
    data = json.loads(recipe_json(PRESETS["edge"]))
    change(data)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=said):
        read_recipe(path)


def test_what_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_recipe(tmp_path / "none.json")
    (tmp_path / "text").write_text("edge")
    with pytest.raises(InputError, match="is no JSON"):
        read_recipe(tmp_path / "text")
    for preset, recipe in ((None, None), ("edge", tmp_path / "text")):
        with pytest.raises(InputError, match=r"give either --preset NAME .*, or --recipe FILE"):
            choose(preset, recipe)
