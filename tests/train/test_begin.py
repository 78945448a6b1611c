"""How a run begins: from which weights, on which data, in which folder, and what is refused before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from ostrack_edge.export import save_network, untrained_network
from ostrack_edge.export.model.embedding import resize_position_embedding
from ostrack_edge.runtime.errors import CheckpointError, InputError, OutputError, TrainingError
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.begin import (
    absolute_spec,
    begin,
    check_plan,
    describe_start,
    describe_teacher,
    first_network,
    network_of,
    places,
    teacher_network,
)
from ostrack_edge.train.data.crops import Jitter
from ostrack_edge.train.data.hold_back import HoldBack
from ostrack_edge.train.distil import EVERYTHING
from ostrack_edge.train.plan import NETWORK, SCHEMA, STATE, Origin, Plan, read_plan
from ostrack_edge.train.recipe import Optimisation, Optimizer, Precision, Recipe

SMALL = NetworkGeometry("small", 32, 64, 2.0, 4.0, 64, 2, 1, 128, 8, (1,), (0.7,))


def planned(init: Path | None = None, teacher: Path | None = None, **geometry: Any) -> Plan:
    recipe = Recipe(distillation=EVERYTHING) if teacher else Recipe()
    shape = dataclasses.replace(SMALL, **geometry)
    return Plan(SCHEMA, "x", shape, ("packed:/x",), HoldBack(), describe_start(init), recipe, describe_teacher(teacher))


@pytest.fixture
def tracker(tmp_path: Path) -> Path:
    path = tmp_path / "tracker.safetensors"
    save_network(path, untrained_network(SMALL))
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A ViT as MAE leaves it: class token, one positional embedding, a decoder."""
    state = untrained_network(SMALL).state_dict()
    own = {name.removeprefix("backbone."): v for name, v in state.items() if name.startswith("backbone.")}
    kept = {name: v for name, v in own.items() if name not in ("pos_embed_z", "pos_embed_x")}
    torch.save({"model": {**kept, "decoder_pred.weight": torch.zeros(3, 3)}}, tmp_path / "mae.pth")
    return tmp_path / "mae.pth"


def test_what_weights_are(tracker: Path, plain: Path, tmp_path: Path) -> None:
    assert describe_start(None).origin is Origin.FRESH
    found = describe_start(tracker)
    assert (found.origin, found.path) == (Origin.CHECKPOINT, str(tracker.resolve()))
    assert describe_start(plain).origin is Origin.PLAIN_VIT
    with pytest.raises(CheckpointError, match="no checkpoint"):
        describe_start(tmp_path / "none")


def test_a_fresh_network_is_told_by_its_seed() -> None:
    a, b = first_network(planned()), first_network(planned())
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize(("template", "search"), [(32, 64), (48, 112)])
def test_a_plain_vit_starts_a_tracker_of_any_size(plain: Path, template: int, search: int) -> None:
    plan = planned(plain, template_size=template, search_size=search, search_factor=4.5, head_width=16)
    network = first_network(plan)
    assert network.geometry == plan.geometry
    expected = resize_position_embedding(network.backbone.pos_embed, search // 16)
    assert torch.equal(network.backbone.pos_embed_x, expected)


def test_a_tracker_goes_on_at_other_sizes(tracker: Path) -> None:
    plan = planned(tracker, search_size=96, keep_ratios=(0.5,))
    network = first_network(plan)
    assert network.geometry == plan.geometry
    assert network.backbone.pos_embed_x.shape == (1, 36, 64)
    with pytest.raises(TrainingError, match="of another network: head_width 8, not 16"):
        first_network(planned(tracker, head_width=16))


def test_weights_that_changed_are_refused(tracker: Path) -> None:
    plan = planned(tracker, tracker)
    assert teacher_network(plan) is not None
    save_network(tracker, untrained_network(SMALL, seed=1))
    for read in (first_network, teacher_network):
        with pytest.raises(TrainingError, match="has changed since the run was planned"):
            read(plan)
    assert teacher_network(planned()) is None


def test_a_teacher_has_to_see_the_same_piece(tracker: Path) -> None:
    with pytest.raises(InputError, match="train with --search-factor 4"):
        teacher_network(planned(teacher=tracker, search_factor=5.0))


def test_a_run_goes_on_without_the_weights_it_began_with(tracker: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(run, planned(tracker))
    plan = read_plan(run)
    tracker.unlink()
    with pytest.raises(CheckpointError):
        network_of(run, plan)
    save_network(run / NETWORK, untrained_network(SMALL))
    (run / STATE).touch()
    assert network_of(run, plan).geometry == SMALL
    with pytest.raises(TrainingError, match="not the network of the plan"):
        network_of(run, planned(search_size=96))


def test_data_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_spec("packed:data") == f"packed:{tmp_path}/data"
    assert absolute_spec("lasot-train:/data/../x=0.5") == "lasot-train:/x=0.5"
    assert absolute_spec("coco:a.json,photos=2") == f"coco:{tmp_path}/a.json,{tmp_path}/photos=2"
    assert absolute_spec("data") == f"{tmp_path}/data"
    assert places("coco:a.json,b=1") == [tmp_path / "a.json", tmp_path / "b"]
    with pytest.raises(InputError, match="names no place"):
        absolute_spec("packed:")


def recipe_plan(teacher: Path | None = None, **changes: Any) -> Plan:
    return dataclasses.replace(planned(teacher=teacher), recipe=dataclasses.replace(Recipe(), **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimisation": Optimisation(batch=9)}, "9 pairs does not divide among 2 devices"),
        ({"jitter": Jitter(scale=float("inf"))}, "jitter.scale is inf; give a finite number"),
        (
            {"optimisation": Optimisation(optimizer=Optimizer.MUON), "precision": Precision.FP16},
            "muon does not train in 16-mixed",
        ),
        ({"distillation": EVERYTHING}, "there is no teacher; give one with --teacher"),
    ],
)
def test_plans_that_cannot_be_trained(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_plan(recipe_plan(**changes), devices=2)
    check_plan(recipe_plan(), devices=2)


def test_a_folder_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    begin(tmp_path / "a" / "run", planned())
    with pytest.raises(OutputError, match="holds a run already; go on with it: ostrack-train resume"):
        begin(tmp_path / "a" / "run", planned())
    (tmp_path / NETWORK).write_text("somebody's")
    with pytest.raises(OutputError, match=r"holds network.safetensors, which the run would write over"):
        begin(tmp_path, planned())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file; give the folder of the run"):
        begin(tmp_path / "file", planned())


def test_a_plan_that_cannot_be_written_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *args: object, **named: object) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="free some space"):
        begin(tmp_path / "a" / "b", planned())
    assert not (tmp_path / "a").exists()


def test_a_folder_that_somebody_else_uses_hides_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *args: object, **named: object) -> int:
        (tmp_path / "a" / "notes").touch()
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="free some space"):
        begin(tmp_path / "a" / "b", planned())
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["notes"]
