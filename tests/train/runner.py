"""Trains what a folder plans in a process of its own: runner.py FOLDER DEVICES WORKERS LOG_EVERY SAVE_EVERY."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric
from ostrack_edge.runtime.errors import OSTrackEdgeError
from ostrack_edge.train.data.mixture import open_mixture
from ostrack_edge.train.initial import fresh_network
from ostrack_edge.train.loop import Outcome, Pace, train
from ostrack_edge.train.plan import read_plan
from ostrack_edge.train.validate import Scores


class Aloud:
    def step(self, step: int, steps: int, line: dict[str, float]) -> None:
        print("step", step, flush=True)

    def validated(self, step: int, scores: Scores) -> None:
        print("validated", step, flush=True)


def main(folder: Path, devices: int, workers: int, log_every: int, save_every: float) -> Outcome:
    torch.set_num_threads(1)
    plan = read_plan(folder)
    fabric = Fabric(accelerator="cpu", devices=devices, precision=plan.recipe.precision.value)
    fabric.launch()
    torch.set_num_threads(1)
    mixture = open_mixture(plan.data, plan.hold_back, plan.recipe.max_gap)
    network = fresh_network(plan.geometry, plan.recipe.seed)
    return train(fabric, plan, network, mixture, folder, Pace(log_every, save_every, workers, 10), Aloud())


if __name__ == "__main__":
    try:
        folder, devices, workers, log_every, save_every = sys.argv[1:]
        print(main(Path(folder), int(devices), int(workers), int(log_every), float(save_every)))
    except OSTrackEdgeError as error:
        sys.exit(f"error: {error}")
