"""Every design is trained by the losses that the published one is trained by."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from ostrack_edge.export import untrained_network
from ostrack_edge.runtime.design import Design, RelationKind, RelationModule
from ostrack_edge.runtime.errors import TrainingError
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.begin import resized
from ostrack_edge.train.data.pairs import Batch
from ostrack_edge.train.initial import fresh_network
from ostrack_edge.train.presets import PRESETS
from ostrack_edge.train.trainee import Trainee

SMALL = NetworkGeometry("small", 64, 128, 2.0, 4.0, 64, 4, 2, 128, 16, (2,), (0.7,))
SWINTRACK = RelationModule(RelationKind.SWINTRACK, 1, 64, 2, 128)
STARK = RelationModule(RelationKind.STARK, 1, 32, 4, 64)
DESIGNS = {
    "identity": Design(identity_embeddings=True),
    "relative": Design(relative_positions=True),
    "extra relation": Design(module=SWINTRACK),
    "two relation layers": Design(relation_layers=2),
    "STARK-aligned": Design(relation_layers=0, module=STARK),
    "SwinTrack-aligned": Design(relation_layers=0, module=SWINTRACK),
}


def geometry_of(name: str) -> NetworkGeometry:
    design = DESIGNS[name]
    if design.relation_layers == 0:
        return dataclasses.replace(SMALL, design=design, elimination_blocks=(), keep_ratios=())
    return dataclasses.replace(SMALL, design=design)


@pytest.fixture
def batch() -> Batch:
    random = torch.Generator().manual_seed(0)
    template, search = (
        torch.randint(0, 256, (2, size, size, 3), generator=random, dtype=torch.uint8) for size in (64, 128)
    )
    box = torch.tensor([[0.3, 0.3, 0.4, 0.3], [0.4, 0.2, 0.3, 0.3]])
    return Batch(template, search, box, box)


@pytest.mark.parametrize("name", list(DESIGNS))
def test_every_weight_of_a_design_learns(name: str, batch: Batch) -> None:
    geometry = geometry_of(name)
    network = untrained_network(geometry)
    trainee = Trainee(network.train(), PRESETS["edge"].recipe)
    terms = trainee(batch, geometry.eliminations)
    terms["loss"].backward()
    assert torch.isfinite(terms["loss"])
    assert ("guidance" in terms) is (geometry.joint_blocks > 0)
    still = [n for n, v in trainee.named_parameters() if v.requires_grad and (v.grad is None or not bool(v.grad.any()))]
    # The softmax does not change when every key's score does by the same: no design learns its keys' common part.
    assert [n for n in still if not n.endswith("positions.key.bias")] == []


@pytest.mark.parametrize("name", list(DESIGNS))
def test_a_design_begins_from_nothing(name: str) -> None:
    network = fresh_network(geometry_of(name), seed=1)
    with torch.inference_mode():
        out = network.eval()(torch.randn(1, 3, 64, 64), torch.randn(1, 3, 128, 128))
    assert bool(torch.isfinite(out.score_map).all())
    assert float(out.score_map.max()) < 0.1


def test_a_relative_network_is_not_trained_at_other_sizes() -> None:
    network = untrained_network(geometry_of("relative"))
    with pytest.raises(TrainingError, match="belong to its crops of 64 and 128 pixels"):
        resized(network, dataclasses.replace(network.geometry, search_size=160))
    with pytest.raises(TrainingError, match="another design"):
        resized(network, dataclasses.replace(network.geometry, design=Design()))
