"""Validation is on what a network has not seen, as far as the plans beside it and its forebears tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.export import save_network, untrained_network
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.runtime.geometry import Box
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.begin import begin
from ostrack_edge.train.data.crops import Jitter
from ostrack_edge.train.data.hold_back import HoldBack
from ostrack_edge.train.data.mixture import Mixture
from ostrack_edge.train.data.pairs import Weighted
from ostrack_edge.train.data.sources import Pair, View
from ostrack_edge.train.held_back import RATIOS, ancestry, choose_held_back, table
from ostrack_edge.train.plan import NETWORK, SCHEMA, Origin, Plan, Start
from ostrack_edge.train.recipe import Recipe

SMALL = NetworkGeometry("small", 32, 64, 2.0, 5.0, 64, 3, 1, 128, 8, (0, 1), (0.7, 0.7))
JITTER = Jitter(1.5, 0.1)


class Still:
    """One picture, whose target stands in the middle."""

    name = "still"

    def __len__(self) -> int:
        return 1

    def draw(self, random: np.random.Generator) -> Pair:
        view = View(np.full((60, 60, 3), 90, np.uint8), Box(20, 20, 20, 20))
        return Pair(view, view)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run of a name, and gives its network."""

    def make(name: str, data: str, hold_back: str, init: Path | None = None) -> Path:
        start = Start(Origin.CHECKPOINT, str(init), "ab") if init else Start(Origin.FRESH)
        recipe = Recipe(jitter=JITTER, max_gap=50)
        begin(tmp_path / name, Plan(SCHEMA, "x", SMALL, (data,), HoldBack.parse(hold_back), start, recipe))
        return tmp_path / name / NETWORK

    return make


def test_a_run_is_validated_on_what_it_held_back(run: Callable[..., Path]) -> None:
    network = run("a", "packed:/data/crops", "tiger,photos=0.1")
    chosen = choose_held_back(network, (), None, SMALL)
    assert chosen.data == ("packed:/data/crops",)
    assert (chosen.hold_back, chosen.jitter, chosen.max_gap) == (HoldBack(("tiger",), 0.1), JITTER, 50)
    assert choose_held_back(network, ("packed:/data/crops",), None, SMALL) == chosen
    fewer = choose_held_back(network, (), HoldBack(("video_tiger",), 0.05), SMALL)
    assert fewer.hold_back.photos == 0.05


@pytest.mark.parametrize(
    ("spec", "names", "said"),
    [
        ("packed:/data/crops", "cup", "was trained on cup, the figures .*; give --hold-back tiger,photos=0.1"),
        ("packed:/data/crops", "tiger,photos=0.2", "more of packed:/data/crops than what was held back"),
        ("folders:/data/crops/sub", "", "more of folders:/data/crops/sub"),
        ("photos:/data", "", "more of photos:/data"),
    ],
)
def test_what_was_trained_on_is_refused(run: Callable[..., Path], spec: str, names: str, said: str) -> None:
    network = run("a", "packed:/data/crops", "tiger,photos=0.1")
    hold_back = HoldBack.parse(names) if names else None
    with pytest.raises(InputError, match=said):
        choose_held_back(network, (spec,), hold_back, SMALL)
    assert choose_held_back(network, ("folders:/elsewhere",), hold_back, SMALL).data == ("folders:/elsewhere",)


def test_what_the_first_weights_saw_counts_too(run: Callable[..., Path]) -> None:
    first = run("a", "packed:/data/crops", "tiger")
    second = run("b", "folders:/own", "yard", first)
    assert [plan.data for plan in ancestry(second)] == [("folders:/own",), ("packed:/data/crops",)]
    with pytest.raises(InputError, match="more of packed:/data/crops than"):
        choose_held_back(second, ("packed:/data/crops",), None, SMALL)
    held = choose_held_back(second, ("packed:/data/crops",), HoldBack(("tiger",)), SMALL)
    assert held.hold_back == HoldBack(("tiger",))


def test_foreign_weights_are_validated_on_anything(tmp_path: Path) -> None:
    save_network(tmp_path / "x.safetensors", untrained_network(SMALL))
    with pytest.raises(InputError, match=r"no plan.json beside .* give --data"):
        choose_held_back(tmp_path / "x.safetensors", (), None, SMALL)
    chosen = choose_held_back(tmp_path / "x.safetensors", ("packed:/data",), None, SMALL)
    assert (chosen.hold_back, chosen.jitter) == (HoldBack(), Jitter(4.5, 0.5))


def test_a_row_for_each_keep_ratio() -> None:
    network = untrained_network(SMALL)
    mixture = Mixture((), (Weighted(Still(), 1.0),))
    rows = table(network, mixture, JITTER, RATIOS, 8)
    assert [row.keep_ratio for row in rows] == list(RATIOS)
    assert [row.kept for row in rows[:4]] == [(), (15, 14), (13, 11), (12, 9)]
    assert rows[-1].kept == (8, 4)
    assert all(row.scores.pairs == 8 and 0 <= row.scores.auc <= 1 for row in rows)
    assert table(network, mixture, JITTER, [0.7], 8)[0] == rows[3]
    assert network.geometry == SMALL
    plain = untrained_network(dataclasses.replace(SMALL, elimination_blocks=(), keep_ratios=()))
    with pytest.raises(InputError, match="only a keep ratio of 1"):
        table(plain, mixture, JITTER, [1.0, 0.7], 8)
    assert table(plain, mixture, JITTER, [1.0], 8)[0].kept == ()
