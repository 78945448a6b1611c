"""The network in training: drop path, elimination by the epoch, what its watchers see, and its losses together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from ostrack_edge.export import untrained_network
from ostrack_edge.export.graphs.patches import IMAGENET_MEAN, IMAGENET_STD
from ostrack_edge.export.model import OSTrack
from ostrack_edge.export.model.block import Block
from ostrack_edge.export.model.elimination import rank_candidates
from ostrack_edge.export.model.network import BlockState
from ostrack_edge.runtime.network import NetworkGeometry, TemplateTokens
from ostrack_edge.train.data.pairs import Batch
from ostrack_edge.train.initial import fresh_network
from ostrack_edge.train.losses import LossWeights, RegressAt
from ostrack_edge.train.recipe import Optimisation, Recipe
from ostrack_edge.train.trainee import Exact, Trainee, normalised, ranking_mask
from torch import Tensor, nn


def made_up_batch(count: int = 3) -> Batch:
    random = torch.Generator().manual_seed(0)
    return Batch(
        torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8, generator=random),
        torch.randint(0, 256, (count, 64, 64, 3), dtype=torch.uint8, generator=random),
        torch.tensor([[0.25, 0.25, 0.5, 0.5]]).repeat(count, 1),
        torch.rand(count, 4, generator=random) * 0.4 + 0.1,
    )


def recipe(drop_path: float = 0.0, **changes: object) -> Recipe:
    return dataclasses.replace(Recipe(Optimisation(drop_path=drop_path)), **changes)  # type: ignore[arg-type]


def test_pictures_are_normalised_red_first() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    found = normalised(torch.from_numpy(pictures))
    assert found.shape == (2, 3, 4, 4)
    for channel in range(3):
        plain = (pictures[..., 2 - channel] / 255 - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
        np.testing.assert_allclose(found[:, channel].numpy(), plain, atol=1e-5)


def test_drop_path_rises_with_depth(mini: NetworkGeometry) -> None:
    network = fresh_network(mini)
    Trainee(network, recipe(drop_path=0.3))
    assert [block.drop_path for block in network.backbone.ordered_blocks] == pytest.approx([0, 0.15, 0.3])


def test_drop_path_keeps_the_expectation_and_rests_in_evaluation() -> None:
    torch.manual_seed(0)
    block = Block(16, 2, 32)
    block.drop_path = 0.3
    tokens = torch.randn(1, 5, 16).expand(4000, -1, -1)
    for half in (lambda t: block.attend(t)[0], block.transform):
        block.eval()
        whole = half(tokens[:1])[0]
        with torch.no_grad():
            assert torch.equal(half(tokens[:1])[0], whole)
            block.train()
            found = half(tokens)
        untouched = (found == tokens).flatten(1).all(1)
        assert untouched.float().mean().item() == pytest.approx(0.3, abs=0.03)
        # The others are changed by 1 / 0.7 times as much: the mean over all is what evaluation gives.
        torch.testing.assert_close(found[~untouched][0] - tokens[0], (whole - tokens[0]) / 0.7)
        torch.testing.assert_close(found.mean(0), whole, atol=0.03, rtol=0)


@pytest.mark.parametrize("eliminations", [{1: 9}, {0: 12, 2: 5}, {}])
def test_eliminations_are_those_of_a_network_of_that_geometry(
    mini: NetworkGeometry, eliminations: dict[int, int]
) -> None:
    left, ratios = 16, []
    for kept in eliminations.values():
        ratios.append(kept / left)
        left = kept
    geometry = dataclasses.replace(mini, elimination_blocks=tuple(eliminations), keep_ratios=tuple(ratios))
    assert geometry.eliminations == eliminations
    network, expected = untrained_network(mini), OSTrack(geometry).eval()
    expected.load_state_dict(network.state_dict())
    batch = made_up_batch()
    inputs = normalised(batch.template), normalised(batch.search)
    with torch.inference_mode():
        found, wanted = network(*inputs, eliminations=eliminations), expected(*inputs)
        own = network(*inputs)
    for name in ("score_map", "size_map", "offset_map"):
        assert torch.equal(getattr(found, name), getattr(wanted, name))
        assert not torch.equal(getattr(found, name), getattr(own, name))
    assert [kept.shape[1] for kept in found.kept] == list(eliminations.values())


def test_watchers_see_what_the_blocks_did(mini: NetworkGeometry) -> None:
    network = fresh_network(mini).eval()
    batch = made_up_batch(2)
    states: list[BlockState] = []

    def watch(number: int, state: BlockState) -> None:
        assert number == len(states)
        states.append(state)

    inputs = normalised(batch.template), normalised(batch.search)
    with torch.inference_mode():
        maps = network(*inputs, eliminations={1: 6}, watch=watch)
        unwatched = network(*inputs, eliminations={1: 6})
    assert torch.equal(maps.score_map, unwatched.score_map)
    assert [tuple(state.softmax.shape) for state in states] == [(2, 2, 20, 20), (2, 2, 20, 20), (2, 2, 10, 10)]
    assert [state.seen.shape[1] for state in states] == [16, 16, 6]
    assert [state.left.shape[1] for state in states] == [16, 6, 6]
    assert [state.tokens.shape[1] for state in states] == [20, 10, 10]
    for state in states:
        torch.testing.assert_close(state.softmax.sum(-1), torch.ones(state.softmax.shape[:3]))
    # Those left are the best of those seen, by the attention that was shown.
    ranking = rank_candidates(states[1].softmax, ranking_mask(network, batch.template_box))
    best = states[1].seen.gather(1, ranking.topk(6).indices)
    assert torch.equal(best, states[1].left)
    assert torch.equal(states[1].left, maps.kept[0])
    assert torch.equal(states[2].seen, states[1].left)


def test_the_loss_is_the_weighted_sum_of_its_terms(mini: NetworkGeometry) -> None:
    weights = LossWeights(focal=0.5, giou=3, l1=7, guidance=0.2)
    trainee = Trainee(fresh_network(mini), recipe(losses=weights)).eval()
    terms = trainee(made_up_batch(), {1: 8})
    assert list(terms) == ["loss", "focal", "giou", "l1", "iou", "guidance"]
    parts = 0.5 * terms["focal"] + 3 * terms["giou"] + 7 * terms["l1"] + 0.2 * terms["guidance"]
    torch.testing.assert_close(terms["loss"], parts)

    published = Trainee(fresh_network(mini), recipe()).eval()
    terms = published(made_up_batch(), {1: 8})
    assert "guidance" not in terms
    torch.testing.assert_close(terms["loss"], terms["focal"] + 2 * terms["giou"] + 5 * terms["l1"])


def test_every_learning_weight_has_a_gradient(mini: NetworkGeometry) -> None:
    # DistributedDataParallel waits for each of them.
    trainee = Trainee(fresh_network(mini), recipe(regress_at=RegressAt.PEAK)).train()
    trainee(made_up_batch(), {1: 8})["loss"].backward()
    without = [name for name, value in trainee.named_parameters() if value.requires_grad and value.grad is None]
    assert without == []


def test_ranking_by_the_targets_box(mini: NetworkGeometry) -> None:
    geometry = dataclasses.replace(mini, template_size=64, template_tokens=TemplateTokens.BOX)
    network = fresh_network(geometry)
    box = torch.tensor([[0.25, 0.25, 0.5, 0.5], [0.0, 0.0, 0.3, 1.0]])
    assert ranking_mask(network, box).view(2, 4, 4).long().tolist() == [
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]],
        [[1, 0, 0, 0]] * 4,
    ]
    fixed = ranking_mask(fresh_network(mini), box)
    assert fixed.tolist() == [[True, False, False, False]] * 2


class Echo(nn.Module):
    """Gives back the boxes that reach it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[Tensor] = []

    def forward(self, batch: Batch | Exact) -> Tensor:
        self.seen.append(batch.batch.box if isinstance(batch, Exact) else batch.box)
        return self.weight.sum()


def test_boxes_reach_a_module_of_half_precision_unrounded() -> None:
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    echo = Echo()
    module = fabric.setup(echo)
    batch = made_up_batch()
    module(Exact(batch))
    module(batch)
    exact, rounded = echo.seen
    assert torch.equal(exact, batch.box)
    assert not torch.equal(rounded.float(), batch.box), "then Exact has become needless"


@pytest.mark.parametrize("bias", [60.0, -60.0])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_saturated_scores_in_half_precision(mini: NetworkGeometry, bias: float, kind: torch.dtype) -> None:
    trainee = Trainee(fresh_network(mini), recipe(losses=LossWeights(guidance=0.3))).train()
    for branch in ("ctr", "size"):
        last = trainee.network.box_head.layers(branch)[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.constant_(last.bias, bias)
    with torch.autocast("cpu", kind):
        terms = trainee(made_up_batch(), {1: 8})
    assert {name: value.isfinite().item() for name, value in terms.items()} == dict.fromkeys(terms, True)
    assert {value.dtype for value in terms.values()} == {torch.float32}
    terms["loss"].backward()
    assert all(value.grad.isfinite().all() for value in trainee.parameters() if value.grad is not None)
