"""The presets hold what was published, and what they are named for."""

from __future__ import annotations

import dataclasses

import pytest
from ostrack_edge.export.variants import published_geometry
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.train.data.crops import Jitter
from ostrack_edge.train.losses import RegressAt
from ostrack_edge.train.presets import PRESETS, jitter_for, preset
from ostrack_edge.train.recipe import Optimizer, Precision, Schedule, Warmup
from ostrack_edge.train.schedule import eliminations, rate_factor


@pytest.mark.parametrize("variant", ["ostrack-256", "ostrack-384"])
@pytest.mark.parametrize(("data", "epochs", "decay", "warmup"), [("", 300, 240, 100), ("-got10k", 100, 80, 70)])
def test_the_published_recipes(variant: str, data: str, epochs: int, decay: int, warmup: int) -> None:
    found = preset(variant + data)
    how = found.recipe.optimisation
    assert found.pretrained
    assert found.geometry == published_geometry(variant)
    assert (how.epochs, how.decay_epoch, how.pairs_per_epoch, how.batch) == (epochs, decay, 60_000, 128)
    assert (how.optimizer, how.learning_rate, how.backbone_factor) == (Optimizer.ADAMW, 4e-4, 0.1)
    assert (how.weight_decay, how.clip_norm, how.drop_path) == (1e-4, 0.1, 0.1)
    assert (how.schedule, how.warmup_epochs) == (Schedule.STEP, 0)
    assert found.recipe.elimination == Warmup(20, warmup)
    assert found.recipe.jitter == (Jitter(3.0, 0.25) if variant == "ostrack-256" else Jitter(4.5, 0.5))
    assert found.recipe.precision is Precision.FP32
    assert found.recipe.regress_at is RegressAt.PEAK
    assert found.recipe.losses.guidance == 0


def test_a_published_step_is_divided_by_ten_once() -> None:
    how = PRESETS["ostrack-256"].recipe.optimisation
    per_epoch = how.pairs_per_epoch / how.batch
    assert rate_factor(0, how) == rate_factor(round(239.9 * per_epoch), how) == 1
    assert rate_factor(round(240.1 * per_epoch), how) == rate_factor(how.steps - 1, how) == pytest.approx(0.1)


def test_edge_refine_goes_on_where_edge_ends() -> None:
    edge, refine = PRESETS["edge"], PRESETS["edge-refine"]
    assert edge.geometry is not None
    assert refine.geometry is not None
    assert refine.pretrained
    sizes = {"template_size": edge.geometry.template_size, "search_size": edge.geometry.search_size}
    assert dataclasses.replace(refine.geometry, **sizes) == edge.geometry
    assert refine.geometry.search_size > edge.geometry.search_size
    how = refine.recipe.optimisation
    assert how.optimizer is Optimizer.MUON
    assert rate_factor(how.steps // 2, how) == pytest.approx(0.5)
    assert rate_factor(how.steps, how) == 0
    assert rate_factor(0, how) < 0.1
    assert rate_factor(edge.recipe.optimisation.steps - 1, edge.recipe.optimisation) == 1
    assert eliminations(refine.geometry, 0, refine.recipe.elimination) == refine.geometry.eliminations
    assert eliminations(edge.geometry, edge.recipe.optimisation.epochs, edge.recipe.elimination)
    same = ("optimisation", "elimination", "jitter")
    assert dataclasses.replace(refine.recipe, **{name: getattr(edge.recipe, name) for name in same}) == edge.recipe


def test_fine_tuning_is_gentler_and_drops_candidates_from_the_start() -> None:
    found = PRESETS["fine-tune"]
    assert found.geometry is None
    assert found.pretrained
    assert found.recipe.optimisation.learning_rate <= PRESETS["ostrack-256"].recipe.optimisation.learning_rate / 10
    geometry = published_geometry("ostrack-256")
    assert eliminations(geometry, 0, found.recipe.elimination) == geometry.eliminations


def test_the_jitter_of_a_crop() -> None:
    assert jitter_for(4.0) == PRESETS["ostrack-256"].recipe.jitter
    assert jitter_for(5.0) == PRESETS["ostrack-384"].recipe.jitter


def test_an_unknown_preset_is_answered_with_the_known() -> None:
    with pytest.raises(InputError, match=r"no preset 'ostrack-512'; known are: ostrack-256, .*edge"):
        preset("ostrack-512")
