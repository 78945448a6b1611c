"""A network that trains in a moment, something to train it on, and runs of it."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from ostrack_edge.runtime.geometry import Box
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.data.augment import Augmentation
from ostrack_edge.train.data.crops import Jitter
from ostrack_edge.train.data.hold_back import HoldBack
from ostrack_edge.train.data.mixture import Mixture, open_mixture
from ostrack_edge.train.data.pairs import Weighted
from ostrack_edge.train.data.sources import Pair, Source, View
from ostrack_edge.train.initial import fresh_network
from ostrack_edge.train.loop import Outcome, Pace, train
from ostrack_edge.train.losses import LossWeights, RegressAt
from ostrack_edge.train.plan import SCHEMA, Origin, Plan, Start, write_plan
from ostrack_edge.train.recipe import Optimisation, Recipe, Warmup
from ostrack_edge.train.targets import CentreCell
from ostrack_edge.train.validate import Scores

MINI = NetworkGeometry("mini", 32, 64, 2.0, 4.0, 32, 3, 2, 64, 16, (1,), (0.5,))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums come out alike to the last bit only with as many threads as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def mini() -> NetworkGeometry:
    """Template of 2 x 2 tokens, search region of 4 x 4, three blocks of which the second drops half."""
    return MINI


def target_on_fields(seed: int) -> tuple[np.ndarray, Box]:
    """A checked rectangle on soft noise: uint8 [120, 120, 3] and its box."""
    random = np.random.default_rng(seed)
    picture = cv2.resize(random.integers(60, 150, (8, 8, 3), np.uint8), (120, 120), interpolation=cv2.INTER_CUBIC)
    x, y, width, height = (int(v) for v in (*random.integers(35, 60, 2), *random.integers(16, 32, 2)))
    checks = random.integers(0, 256, (2, 2, 3), np.uint8)
    picture[y : y + height, x : x + width] = cv2.resize(checks, (width, height), interpolation=cv2.INTER_NEAREST)
    return picture, Box(x, y, width, height)


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packed crops: two videos, of 8 and 5 frames, and six photos."""
    root = tmp_path_factory.mktemp("crops")
    entries = []
    for group, count in (("video_cup", 8), ("video_dog", 5), ("photo_odd", 6)):
        for i in range(count):
            picture, box = target_on_fields(len(entries))
            name = f"{group}_{i:04d}.png"
            assert cv2.imwrite(str(root / name), picture)
            entries.append({"file": name, "group": group, "box_xywh": list(box)})
    (root / "index.json").write_text(json.dumps(entries))
    return root


@pytest.fixture
def plan(crops: Path) -> Callable[..., Plan]:
    """plan(**optimisation): twelve steps of four pairs, three steps an epoch; the elimination warms up over the whole
    of them, drop path is on. Other parts of the recipe go by their names."""

    def make(hold_back: str = "dog", **changes: Any) -> Plan:
        of_recipe = {name: changes.pop(name) for name in list(changes) if name in Recipe.__dataclass_fields__}
        how = Optimisation(batch=4, epochs=4, pairs_per_epoch=12, learning_rate=1e-3, drop_path=0.3)
        recipe = Recipe(
            optimisation=dataclasses.replace(how, **changes),
            elimination=Warmup(1, 4),
            losses=LossWeights(guidance=0.3),
            regress_at=RegressAt.BOTH,
            centre_cell=CentreCell.FLOOR,
            jitter=Jitter(2.0, 0.25),
            augmentation=Augmentation(rotation=10, blur=0.2, noise=0.2),
            validate_every=2,
            seed=5,
        )
        recipe = dataclasses.replace(recipe, **of_recipe)
        data = (f"packed:{crops}",)
        return Plan(SCHEMA, "none", MINI, data, HoldBack.parse(hold_back), Start(Origin.FRESH), recipe)

    return make


class Quiet:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.lines: list[dict[str, float]] = []
        self.scores: list[Scores] = []

    def step(self, step: int, steps: int, line: dict[str, float]) -> None:
        self.lines.append(line)

    def validated(self, step: int, scores: Scores) -> None:
        self.scores.append(scores)


class Hooked:
    """A source that does something in the draw after `left` others, of its own or of those it shares `left` with; one
    that counts its draws needs 0 workers."""

    def __init__(self, source: Source, left: list[int], act: Callable[[Pair], Pair]) -> None:
        self.name = source.name
        self._source, self._left, self._act = source, left, act

    def __len__(self) -> int:
        return len(self._source)

    def draw(self, random: np.random.Generator) -> Pair:
        pair = self._source.draw(random)
        self._left[0] -= 1
        return self._act(pair) if self._left[0] == -1 else pair


def hooked(mixture: Mixture, left: int, act: Callable[[Pair], Pair]) -> Mixture:
    shared = [left]
    training = (Weighted(Hooked(weighted.source, shared, act), weighted.share) for weighted in mixture.training)
    return Mixture(tuple(training), mixture.validation)


def stop(pair: Pair) -> Pair:
    signal.raise_signal(signal.SIGINT)
    return pair


def spoil(pair: Pair) -> Pair:
    """A target whose place is no number."""
    return Pair(pair.template, View(pair.search.picture, Box(float("nan"), 0, 10, 10)))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Outcome]:
    """run(plan, name): train in tmp_path/NAME, from the beginning or from where that stands.

    stop_in, spoil_in: a step, counted from the first of this call, in which the process is interrupted, or a target's
    place is no number.
    """

    def go(plan: Plan, name: str, workers: int = 0, stop_in: int | None = None, spoil_in: int | None = None,
           log_every: int = 5, save_every: float = 1e9, reporter: Any = None) -> Outcome:  # fmt: skip
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        write_plan(folder, plan)
        mixture = open_mixture(plan.data, plan.hold_back, plan.recipe.max_gap)
        for at, act in ((stop_in, stop), (spoil_in, spoil)):
            if at is not None:
                mixture = hooked(mixture, at * plan.recipe.optimisation.batch, act)
        fabric = Fabric(accelerator="cpu", devices=1, precision=plan.recipe.precision.value)
        pace = Pace(log_every=log_every, save_every=save_every, workers=workers, validation=10)
        network = fresh_network(plan.geometry, plan.recipe.seed)
        return train(fabric, plan, network, mixture, folder, pace, reporter or Quiet())

    return go
