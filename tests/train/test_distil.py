"""What a student learns from a teacher: each loss is least where the two agree, and counts what it should."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from ostrack_edge.export import OSTrack, untrained_network
from ostrack_edge.export.model import NetworkOutput
from ostrack_edge.export.model.head import decode
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.data.pairs import Batch
from ostrack_edge.train.distil import (
    DistilWeights,
    Sight,
    Teacher,
    box_loss,
    check_teacher,
    crops_for,
    reduced,
    score_loss,
    token_loss,
)
from ostrack_edge.train.recipe import Recipe
from ostrack_edge.train.trainee import Trainee

STUDENT = NetworkGeometry("s", 32, 64, 2.0, 4.0, 64, 2, 1, 128, 8, (0,), (0.5,))
TEACHER = NetworkGeometry("t", 48, 96, 2.0, 4.0, 128, 3, 2, 256, 8, (1,), (0.7,))


def batch(size: int = 2, template: int = 48, search: int = 96) -> Batch:
    generator = torch.Generator().manual_seed(size)

    def crops(side: int) -> torch.Tensor:
        return torch.randint(0, 256, (size, side, side, 3), dtype=torch.uint8, generator=generator)

    box = torch.tensor([[0.3, 0.35, 0.2, 0.25]]).repeat(size, 1)
    return Batch(crops(template), crops(search), box, box)


def trainee(weights: DistilWeights, student: NetworkGeometry = STUDENT) -> Trainee:
    teacher = Teacher(untrained_network(TEACHER, 1))
    return Trainee(untrained_network(student), Recipe(distillation=weights), teacher).train()


@pytest.mark.parametrize("soft", [0.05, 0.5, 0.8, 0.999])
def test_the_score_loss_is_least_where_the_student_agrees(soft: float) -> None:
    score = torch.full((2, 1, 4, 4), soft, requires_grad=True)
    loss = score_loss(score, torch.full((2, 1, 4, 4), soft))
    loss.backward()
    assert loss == 0
    assert score.grad is not None
    assert not score.grad.any()
    for other in (soft * 0.9, min(soft * 1.1, 0.9999)):
        assert score_loss(torch.full((2, 1, 4, 4), other), torch.full((2, 1, 4, 4), soft)) > 0


def test_a_finer_score_map_keeps_the_height_of_its_peak() -> None:
    fine, coarse = torch.full((1, 1, 8, 8), 0.01), torch.full((1, 1, 4, 4), 0.01)
    fine[0, 0, 5, 2] = coarse[0, 0, 2, 1] = 0.8
    assert score_loss(coarse, fine) == 0
    assert score_loss(torch.full((1, 1, 8, 8), 0.3), torch.full((1, 1, 4, 4), 0.3)) < 1e-9


def test_the_box_loss_compares_the_box_at_the_teacher_s_place() -> None:
    score, size, offset = torch.rand(1, 1, 4, 4), torch.rand(1, 2, 4, 4) * 0.3, torch.rand(1, 2, 4, 4)
    found, _ = decode(score, size, offset)
    corners = torch.cat([found[:, :2] - found[:, 2:] / 2, found[:, :2] + found[:, 2:] / 2], 1)
    maps = NetworkOutput(torch.rand(1, 1, 4, 4), size, offset, (), ())
    sight = Sight(score, corners, torch.tensor([0.9]), torch.zeros(1, 8, 4, 4))
    assert box_loss(maps, sight) < 1e-5
    wrong = sight._replace(box=corners * 0.9)
    sure, unsure = box_loss(maps, wrong), box_loss(maps, wrong._replace(sure=torch.tensor([0.3])))
    assert sure == pytest.approx(3 * unsure)
    assert sure > 0.01


def test_dropped_tokens_count_nothing() -> None:
    tokens = torch.randn(1, 8, 4, 4)
    places = torch.tensor([[5, 0, 11]])
    mapped = tokens.flatten(2).transpose(1, 2)[:, places[0]].clone()
    assert token_loss(mapped, places, tokens, 4) == 0
    others = tokens.clone()
    others[0, :, 0, 1] += 100
    assert token_loss(mapped, places, others, 4) == 0
    others[0, :, 1, 1] += 1
    assert token_loss(mapped, places, others, 4) == pytest.approx(1 / 3, rel=1e-5)


def test_tokens_of_another_grid_are_averaged() -> None:
    tokens = torch.randn(1, 8, 4, 4)
    mean = tokens[0, :, 2:, :2].mean((1, 2))
    assert token_loss(mean[None, None], torch.tensor([[2]]), tokens, 2) < 1e-10


def test_pictures_are_reduced_by_area() -> None:
    assert torch.equal(reduced(torch.arange(16.0).view(1, 1, 4, 4), 2), torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]]))
    row = torch.tensor([3.0, 6.0, 9.0]).expand(1, 1, 3, 3)
    assert torch.allclose(reduced(row, 2)[0, 0, 0], torch.tensor([4.0, 8.0]))
    picture = torch.rand(2, 3, 24, 24)
    assert reduced(picture, 24) is picture
    assert torch.allclose(reduced(picture, 16).mean((2, 3)), picture.mean((2, 3)), atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(reduced(picture, 8), torch.nn.functional.avg_pool2d(picture, 3), atol=1e-6)


def test_pairs_are_cut_at_the_larger_sizes() -> None:
    assert crops_for(STUDENT, None) is STUDENT
    cut = crops_for(dataclasses.replace(STUDENT, template_size=64), TEACHER)
    assert (cut.template_size, cut.search_size) == (64, 96)


def test_a_teacher_that_sees_another_piece_is_refused() -> None:
    check_teacher(STUDENT, TEACHER)
    with pytest.raises(InputError, match="train with --search-factor 5"):
        check_teacher(STUDENT, dataclasses.replace(TEACHER, search_factor=5.0))


def test_a_teacher_keeps_every_candidate_and_learns_nothing() -> None:
    network = untrained_network(TEACHER)
    sight = Teacher(network).look(torch.randn(2, 3, 48, 48), torch.randn(2, 3, 96, 96))
    assert sight.score.shape == (2, 1, 6, 6)
    assert sight.tokens.shape == (2, 128, 6, 6)
    assert torch.allclose(sight.tokens.mean(1), torch.zeros(2, 6, 6), atol=1e-5)
    assert torch.allclose(sight.tokens.var(1, unbiased=False), torch.ones(2, 6, 6), atol=1e-3)
    assert torch.equal(sight.sure, sight.score.flatten(1).amax(1))
    assert not any(value.requires_grad for value in network.parameters())


def test_the_teacher_is_no_part_of_who_learns() -> None:
    learner = trainee(DistilWeights(1, 1, 1))
    own = {f"network.{name}" for name in untrained_network(STUDENT).state_dict()}
    assert set(learner.state_dict()) == own | {"token_map.weight", "token_map.bias"}
    assert set(trainee(DistilWeights(score=1)).state_dict()) == own


def test_every_term_is_weighted_and_reaches_the_student() -> None:
    weights = DistilWeights(0.5, 2.0, 3.0)
    learner = trainee(weights)
    terms = learner(batch(), {0: 8})
    plain = terms["focal"] + 2 * terms["giou"] + 5 * terms["l1"]
    taught = 0.5 * terms["distil_score"] + 2 * terms["distil_box"] + 3 * terms["distil_tokens"]
    assert terms["loss"].item() == pytest.approx((plain + taught).item(), rel=1e-5)
    terms["distil_tokens"].backward()
    assert learner.token_map is not None
    for value in (learner.token_map.weight, learner.network.backbone.norm.weight):
        assert value.grad is not None
        assert value.grad.abs().sum() > 0


def test_without_weights_a_recipe_is_as_it_was() -> None:
    small = batch(2, 32, 64)
    assert set(Trainee(untrained_network(STUDENT), Recipe())(small, {})) == {"loss", "focal", "giou", "l1", "iou"}


def test_a_student_comes_nearer_to_its_teacher() -> None:
    torch.manual_seed(0)
    learner = trainee(DistilWeights(1, 1, 1))
    optimizer = torch.optim.AdamW([v for v in learner.parameters() if v.requires_grad], 1e-3)
    first = last = {}
    for step in range(30):
        last = learner(batch(), {0: 8})
        first = first or last
        distil = sum(last[f"distil_{name}"] for name in ("score", "box", "tokens"))
        optimizer.zero_grad()
        assert isinstance(distil, torch.Tensor), step
        distil.backward()
        optimizer.step()
    for name in ("distil_score", "distil_tokens"):
        assert last[name] < 0.6 * first[name], name


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_weights_are_numbers_from_0(value: float) -> None:
    with pytest.raises(InputError, match="the distillation weight box"):
        DistilWeights(box=value)


def test_a_larger_student_sees_its_own_size() -> None:
    large = dataclasses.replace(STUDENT, template_size=64, search_size=128)
    learner = trainee(DistilWeights(score=1), large)
    assert isinstance(learner.network, OSTrack)
    assert torch.isfinite(learner(batch(1, 64, 128), {})["loss"])
