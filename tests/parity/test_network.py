"""Our PyTorch network against the published network's stored outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ostrack_edge.export.model import NetworkOutput, OSTrack
from ostrack_edge.export.model.elimination import box_mask
from ostrack_edge.export.model.head import decode

CASES = [
    "ostrack256_ctr_point",
    "ostrack256_all",
    "ostrack256_ctr_rec",
    "ostrack256_gt_box",
    "ostrack256_rho05",
    "ostrack256_rho10",
    "ostrack256_noce",
]
MAPS = ("score_map", "size_map", "offset_map")


def run(stored, network: OSTrack, recipe, repeat: int = 1) -> NetworkOutput:
    case = stored.case
    inputs = recipe.network_inputs(case["seed"], case["template"], case["search"], case["batch"])
    template, search = (torch.from_numpy(np.concatenate([a] * repeat)) for a in inputs)
    mask = None
    if "template_box_xywh" in case:
        mask = box_mask(stored.geometry, torch.tensor([case["template_box_xywh"]])).expand(len(template), -1)
    with torch.inference_mode():
        return network(template, search, mask)


@pytest.mark.parametrize("name", CASES)
def test_maps_boxes_and_dropped_tokens_are_the_published_ones(name: str, golden, weights, recipe) -> None:
    stored = golden(name)
    out = run(stored, weights(OSTrack(stored.geometry)), recipe)
    for key in MAPS:
        np.testing.assert_allclose(getattr(out, key).numpy(), stored.outputs[key], rtol=0, atol=1e-5)
    box, _ = decode(out.score_map, out.size_map, out.offset_map)
    np.testing.assert_allclose(box.numpy(), stored.outputs["pred_boxes"][:, 0], rtol=0, atol=1e-5)
    assert len(out.removed) == len(stored.removed)
    for ours, theirs in zip(out.removed, stored.removed, strict=True):
        assert ours.dtype == torch.int64
        assert [set(row) for row in ours.tolist()] == [set(row) for row in theirs.tolist()]


def test_a_batch_gives_each_sample_what_it_gives_alone(golden, weights, recipe) -> None:
    stored = golden("ostrack256_ctr_point")
    network = weights(OSTrack(stored.geometry))
    alone = run(stored, network, recipe)
    other = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(3))
    region = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(4))
    case = stored.case
    template, search = map(torch.from_numpy, recipe.network_inputs(case["seed"], 128, 256, 1))
    with torch.inference_mode():
        both = network(torch.cat([other, template]), torch.cat([region, search]))
    for key in MAPS:
        torch.testing.assert_close(getattr(both, key)[1:], getattr(alone, key), rtol=0, atol=1e-5)
    for ours, single in zip(both.removed, alone.removed, strict=True):
        assert set(ours[1].tolist()) == set(single[0].tolist())
    assert set(both.removed[0][0].tolist()) != set(both.removed[0][1].tolist())


@pytest.mark.parametrize("name", ["ostrack256_ctr_point", "ostrack256_ctr_rec", "ostrack256_all", "ostrack256_gt_box"])
def test_the_ranking_tokens_are_the_published_ones(name: str, golden) -> None:
    stored = golden(name)
    mask = np.zeros(stored.geometry.template_token_count, bool)
    if "template_box_xywh" in stored.case:
        mask = box_mask(stored.geometry, torch.tensor([stored.case["template_box_xywh"]]))[0].numpy()
    else:
        mask[list(stored.geometry.ranking_rows)] = True
    # The published code passes no mask at all where every token ranks.
    expected = stored.outputs.get("template_mask", np.ones((1, mask.size), bool))
    assert mask.tolist() == expected[0].tolist()


@pytest.mark.parametrize("name", ["ostrack256_ctr_point", "ostrack256_noce"])
def test_state_dict_names_and_shapes_are_the_published_ones(name: str, golden, golden_folder: Path) -> None:
    published = json.loads((golden_folder / f"{name}.keys.json").read_text())
    ours = {k: list(v.shape) for k, v in OSTrack(golden(name).geometry).state_dict().items()}
    assert ours == published
