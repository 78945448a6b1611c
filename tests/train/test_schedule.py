"""Learning rates and keep ratios against the published numbers."""

from __future__ import annotations

import dataclasses
import math

import pytest
from ostrack_edge.export.variants import published_geometry
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.train.recipe import Optimisation, Recipe, Schedule, Warmup
from ostrack_edge.train.schedule import eliminations, keep_ratio, rate_factor

ALL = Optimisation(batch=128, epochs=300, pairs_per_epoch=60_000, decay_epoch=240)
GOT10K = dataclasses.replace(ALL, epochs=100, decay_epoch=80)


@pytest.mark.parametrize(("how", "drop", "end"), [(ALL, 240, 300), (GOT10K, 80, 100)])
def test_the_published_rate_is_divided_by_ten_once(how: Optimisation, drop: int, end: int) -> None:
    first = next(step for step in range(how.steps) if rate_factor(step, how) != 1)
    assert how.steps == round(end * 468.75)
    assert how.epoch_at(first - 1) < drop <= how.epoch_at(first)
    assert rate_factor(first, how) == rate_factor(how.steps - 1, how) == pytest.approx(0.1)


def test_cosine_and_linear() -> None:
    cosine = dataclasses.replace(ALL, schedule=Schedule.COSINE)
    assert [rate_factor(round(part * cosine.steps), cosine) for part in (0, 1 / 3, 0.5, 1)] == pytest.approx(
        [1, 0.75, 0.5, 0], abs=1e-4
    )
    linear = dataclasses.replace(ALL, schedule=Schedule.LINEAR, decay_epoch=200)
    factors = [rate_factor(round(epoch * 468.75), linear) for epoch in (0, 200, 250, 300)]
    assert factors == pytest.approx([1, 1, 0.5, 0], abs=1e-4)
    never = dataclasses.replace(linear, decay_epoch=300)
    assert rate_factor(never.steps - 1, never) == 1


def test_the_rate_rises_at_first() -> None:
    how = Optimisation(batch=10, epochs=4, pairs_per_epoch=100, decay_epoch=3, warmup_epochs=0.5)
    factors = [rate_factor(step, how) for step in range(how.steps)]
    assert factors[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert factors[29:31] == pytest.approx([1, 0.1])


def test_the_published_keep_ratio() -> None:
    warmup = Warmup(20, 100)
    assert [keep_ratio(epoch, warmup, 0.7) for epoch in (0, 19.9, 20)] == [1, 1, 1]
    assert keep_ratio(60, warmup, 0.7) == pytest.approx(0.85)
    assert keep_ratio(40, warmup, 0.7) == pytest.approx(0.7 + 0.15 * (1 + math.cos(math.pi / 4)))
    assert [keep_ratio(epoch, warmup, 0.7) for epoch in (100, 250)] == [0.7, 0.7]
    ratios = [keep_ratio(epoch, warmup, 0.7) for epoch in range(20, 101)]
    assert ratios == sorted(ratios, reverse=True)
    assert keep_ratio(45, Warmup(20, 70), 0.7) == pytest.approx(0.85)
    assert [keep_ratio(epoch, Warmup(3, 3), 0.7) for epoch in (2, 3)] == [1, 0.7]


def test_the_published_network_drops_more_and_more() -> None:
    geometry = published_geometry("ostrack-256")
    assert eliminations(geometry, 20, Warmup(20, 100)) == {}
    assert eliminations(geometry, 60, Warmup(20, 100)) == {3: 218, 6: 186, 9: 159}
    assert eliminations(geometry, 100, Warmup(20, 100)) == geometry.eliminations == {3: 180, 6: 126, 9: 89}
    assert eliminations(published_geometry("ostrack-384"), 70, Warmup(20, 70)) == {3: 404, 6: 283, 9: 199}


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": 0},
        {"epochs": math.inf},
        {"epochs": math.nan},
        {"learning_rate": -1.0},
        {"weight_decay": math.nan},
        {"clip_norm": -0.1},
        {"drop_path": 1.0},
        {"warmup_epochs": math.inf},
    ],
)
def test_numbers_that_make_no_training(changes: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(changes))):
        Optimisation(**changes)  # type: ignore[arg-type]


def test_recipes_that_make_no_training() -> None:
    for start, end in ((5, 4), (-1, 4), (math.nan, 4), (0, math.inf)):
        with pytest.raises(InputError, match="cannot warm up"):
            Warmup(start, end)
    with pytest.raises(InputError, match="max_gap is 0"):
        Recipe(max_gap=0)
    with pytest.raises(InputError, match="validate_every is 0"):
        Recipe(validate_every=0)
    for seed in (-1, 2**31):
        with pytest.raises(InputError, match="the seed is"):
            Recipe(seed=seed)
