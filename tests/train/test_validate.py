"""Figures of a validation, worked out pair by pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ostrack_edge.export import untrained_network
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train import validate as room
from ostrack_edge.train.data.crops import Jitter
from ostrack_edge.train.data.hold_back import HoldBack
from ostrack_edge.train.data.mixture import open_mixture
from ostrack_edge.train.trainee import normalised
from ostrack_edge.train.validate import Scores, scores, validate, validation_pairs


def test_figures_by_hand() -> None:
    found = scores(np.array([0.0, 0.5, 1.0, 0.12]), np.array([True, False, True, False]))
    # Strictly above 0, 0.05, ..., 1: none, ten of 21 (0.5 is not above 0.5), twenty, three.
    assert found == Scores(pytest.approx(0.405), pytest.approx((0 + 10 + 20 + 3) / 84), 0.5, 4)


def by_hand(box: list[float], truth: list[float]) -> float:
    """IoU of a box by its centre and the truth by its corner, cut to the crop."""
    low = [box[i] - box[2 + i] / 2 for i in (0, 1)]
    high = [box[i] + box[2 + i] / 2 for i in (0, 1)]
    first = [min(1.0, max(0.0, truth[i])) for i in (0, 1)]
    last = [min(1.0, max(0.0, truth[i] + truth[2 + i])) for i in (0, 1)]
    inside = np.prod([max(0.0, min(high[i], last[i]) - max(low[i], first[i])) for i in (0, 1)])
    union = box[2] * box[3] + (last[0] - first[0]) * (last[1] - first[1]) - inside
    return float(inside / union)


@pytest.mark.parametrize("eliminations", [None, {}, {0: 5}])
def test_a_validation_pair_by_pair(
    mini: NetworkGeometry, crops: Path, monkeypatch: pytest.MonkeyPatch, eliminations: dict[int, int] | None
) -> None:
    monkeypatch.setattr(room, "_CHUNK", 4)
    network = untrained_network(mini).train()
    mixture = open_mixture([f"packed:{crops}"], HoldBack(("dog",), 0.5))
    pairs = validation_pairs(mixture.validation, network, Jitter(2.0, 0.25))
    found = validate(network, pairs, 10, eliminations)
    assert network.training

    network.eval()
    overlaps, near = [], []
    for number in range(10):
        pair = pairs[number]
        with torch.inference_mode():
            maps = network(normalised(pair.template[None]), normalised(pair.search[None]), eliminations=eliminations)
        cell = int(maps.score_map.argmax())
        row, column = divmod(cell, 4)
        offset, size = (values[0, :, row, column].tolist() for values in (maps.offset_map, maps.size_map))
        box = [(column + offset[0]) / 4, (row + offset[1]) / 4, *size]
        truth = pair.box.tolist()
        overlaps.append(by_hand(box, truth))
        near.append(all(abs(box[i] - truth[i] - truth[2 + i] / 2) <= 0.125 for i in (0, 1)))
    assert found.mean_iou == pytest.approx(np.mean(overlaps), abs=1e-5)
    assert found.precise == np.mean(near)
    assert found.pairs == 10
    validate(network, pairs, 3)
    assert not network.training


def test_every_network_sees_the_same_pairs(mini: NetworkGeometry, crops: Path) -> None:
    mixture = open_mixture([f"packed:{crops}"], HoldBack(("dog",)))
    first, other = (
        validation_pairs(mixture.validation, untrained_network(mini, seed), Jitter(2.0, 0.25)) for seed in (0, 1)
    )
    for number in range(5):
        assert all(torch.equal(a, b) for a, b in zip(first[number], other[number], strict=True))
