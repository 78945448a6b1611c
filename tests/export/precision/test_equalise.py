"""Outliers move into the weights, and no bit of the result changes."""

from __future__ import annotations

import copy

import numpy as np
import torch
from ostrack_edge.calib.clipping import RangeMethod
from ostrack_edge.calib.ranges import search_ranges
from ostrack_edge.calib.replay import Replay
from ostrack_edge.export import OSTrack
from ostrack_edge.export.precision.agree import Pair, Runner
from ostrack_edge.export.precision.equalise import equalise, norm_outputs

from .conftest import crops_of, pair_of


def channels(pair: Pair, crops) -> dict[str, np.ndarray]:
    found = search_ranges(*pair, Replay(crops, range(4), 1), norm_outputs(pair.search), RangeMethod.MINMAX)
    return {name: r.channel_max for name, r in found.items()}


def test_every_norm_before_linears_is_a_candidate(tiny_pair: Pair) -> None:
    assert len(norm_outputs(tiny_pair.search)) == 8, "two of each of four blocks; not the one before the head"


def test_a_norm_without_outliers_stays(tiny_pair: Pair, tiny_crops) -> None:
    model, names = equalise(tiny_pair.search, channels(tiny_pair, tiny_crops))
    assert names == ()
    assert model.SerializeToString(deterministic=True) == tiny_pair.search.SerializeToString(deterministic=True)


def test_outliers_are_moved_and_the_answers_are_bit_equal(tiny_network: OSTrack) -> None:
    network = copy.deepcopy(tiny_network)
    with torch.no_grad():
        for number in (1, 3):
            norm = network.backbone.ordered_blocks[number].norm1
            norm.weight[5] *= 64
            norm.bias[5] *= 64
    pair, crops = pair_of(network), crops_of(network, 4)
    before = channels(pair, crops)
    model, names = equalise(pair.search, before)
    assert names == ("blocks.1.norm1", "blocks.3.norm1")
    after = channels(Pair(pair.template, model), crops)

    def spread(widest: dict[str, np.ndarray]) -> float:
        return max(float(c.max() / np.median(c)) for c in widest.values())

    assert spread(after) < spread(before) / 4
    runner = Runner(crops, range(4), 1)
    full, moved = runner.answers(pair), runner.answers(Pair(pair.template, model))
    np.testing.assert_array_equal(full.box, moved.box)
    np.testing.assert_array_equal(full.score, moved.score)
