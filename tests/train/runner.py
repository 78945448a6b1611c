"""Trains what a folder plans in a process of its own: runner.py FOLDER DEVICES WORKERS LOG_EVERY SAVE_EVERY [hang].

With `hang` the pictures never come, as from a disk that does not answer.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from ostrack_edge.runtime.errors import OSTrackEdgeError
from ostrack_edge.train.data.mixture import Mixture, open_mixture
from ostrack_edge.train.data.pairs import Weighted
from ostrack_edge.train.data.sources import Pair
from ostrack_edge.train.initial import fresh_network
from ostrack_edge.train.loop import Outcome, Pace, train
from ostrack_edge.train.plan import read_plan
from ostrack_edge.train.validate import Scores


class Aloud:
    def step(self, step: int, steps: int, line: dict[str, float]) -> None:
        print("step", step, flush=True)

    def validated(self, step: int, scores: Scores) -> None:
        print("validated", step, flush=True)


class Hung:
    name = "hung"

    def __len__(self) -> int:
        return 1

    def draw(self, random: np.random.Generator) -> Pair:
        print("hanging", flush=True)
        time.sleep(3600)
        raise AssertionError


def main(folder: Path, devices: int, workers: int, log_every: int, save_every: float, hang: bool) -> Outcome:
    torch.set_num_threads(1)
    plan = read_plan(folder)
    fabric = Fabric(accelerator="cpu", devices=devices, precision=plan.recipe.precision.value)
    fabric.launch()
    torch.set_num_threads(1)
    mixture = open_mixture(plan.data, plan.hold_back, plan.recipe.max_gap)
    if hang:
        mixture = Mixture((Weighted(Hung(), 1.0),), ())
    network = fresh_network(plan.geometry, plan.recipe.seed)
    return train(fabric, plan, network, mixture, folder, Pace(log_every, save_every, workers, 10), Aloud())


if __name__ == "__main__":
    try:
        folder, devices, workers, log_every, save_every, *hang = sys.argv[1:]
        print(main(Path(folder), int(devices), int(workers), int(log_every), float(save_every), bool(hang)))
    except OSTrackEdgeError as error:
        sys.exit(f"error: {error}")
