"""Which weights are in which group."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.initial import fresh_network
from ostrack_edge.train.optim import make_optimizers, set_rates
from ostrack_edge.train.recipe import Optimisation, Optimizer, Precision, Recipe
from ostrack_edge.train.trainee import Trainee
from torch.optim import AdamW, Muon

HOW = Optimisation(learning_rate=4e-4, backbone_factor=0.1, weight_decay=1e-4)
MUON = dataclasses.replace(HOW, optimizer=Optimizer.MUON, weight_decay=0.05, backbone_factor=0.5)


@pytest.fixture
def trainee(mini: NetworkGeometry) -> Trainee:
    return Trainee(fresh_network(mini), Recipe())


def names_of(trainee: Trainee, group: dict) -> set[str]:
    names = {id(value): name.removeprefix("network.") for name, value in trainee.named_parameters()}
    return {names[id(value)] for value in group["params"]}


def test_adamw_as_published(trainee: Trainee) -> None:
    (optimizer,) = make_optimizers(trainee, HOW, Precision.FP16)
    assert type(optimizer) is AdamW
    head, backbone = optimizer.param_groups
    assert (head["lr"], backbone["lr"]) == (4e-4, pytest.approx(4e-5))
    assert head["weight_decay"] == backbone["weight_decay"] == 1e-4
    assert head["betas"] == (0.9, 0.999)
    learning = {n.removeprefix("network.") for n, v in trainee.named_parameters() if v.requires_grad}
    assert names_of(trainee, head) == {name for name in learning if name.startswith("box_head.")}
    assert names_of(trainee, backbone) == {name for name in learning if name.startswith("backbone.")}
    # What a tracker never reads does not learn.
    everything = {name.removeprefix("network.") for name, _ in trainee.named_parameters()}
    assert everything - learning == {"backbone.cls_token", "backbone.pos_embed"}


def test_muon_for_the_matrices_of_the_blocks_alone(trainee: Trainee) -> None:
    muon, adamw = make_optimizers(trainee, MUON, Precision.BF16)
    assert (type(muon), type(adamw)) == (Muon, AdamW)
    (matrices,) = muon.param_groups
    expected = {
        f"backbone.blocks.{block}.{part}.weight"
        for block in range(3)
        for part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    }
    assert names_of(trainee, matrices) == expected
    assert (matrices["lr"], matrices["weight_decay"]) == (pytest.approx(2e-4), 0.05)

    for group in adamw.param_groups:
        names = names_of(trainee, group)
        of_backbone = {name.startswith("backbone.") for name in names}
        assert group["lr"] == pytest.approx(2e-4 if of_backbone == {True} else 4e-4)
        for name in names:
            vector = dict(trainee.named_parameters())[f"network.{name}"].ndim == 1
            plain = vector or "pos_embed" in name
            assert group["weight_decay"] == (0 if plain else 0.05), name
    learning = [id(v) for v in trainee.parameters() if v.requires_grad]
    found = [id(v) for o in (muon, adamw) for group in o.param_groups for v in group["params"]]
    assert sorted(found) == sorted(learning)
    decaying = set().union(*(names_of(trainee, g) for g in adamw.param_groups if g["weight_decay"]))
    assert "backbone.patch_embed.proj.weight" in decaying
    assert "box_head.conv1_ctr.0.weight" in decaying


def test_muon_refuses_scaled_gradients(trainee: Trainee) -> None:
    with pytest.raises(InputError, match=r"muon does not train in 16-mixed; choose bf16-mixed"):
        make_optimizers(trainee, MUON, Precision.FP16)


@pytest.mark.parametrize("how", [HOW, MUON])
def test_rates_are_parts_of_each_groups_own(trainee: Trainee, how: Optimisation) -> None:
    optimizers = make_optimizers(trainee, how, Precision.FP32)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    own = [group["lr"] for group in groups]
    set_rates(optimizers, 0.5)
    set_rates(optimizers, 0.25)
    assert [group["lr"] for group in groups] == pytest.approx([rate / 4 for rate in own])
    # A step changes what it is given by as much as its rate allows, and nothing at a rate of 0.
    before = [value.clone() for value in trainee.parameters()]
    for value in trainee.parameters():
        value.grad = torch.ones_like(value) if value.requires_grad else None
    set_rates(optimizers, 0)
    for optimizer in optimizers:
        optimizer.step()
    assert all(torch.equal(old, new) for old, new in zip(before, trainee.parameters(), strict=True))
