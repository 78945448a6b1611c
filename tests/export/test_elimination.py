"""Ranking, elimination and restoring on numbers worked out by hand, and the box's tokens against the published mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ostrack_edge.export.model.elimination import box_mask, eliminate, rank_candidates, restore
from ostrack_edge.export.model.embedding import resize_position_embedding
from ostrack_edge.export.variants import published_geometry
from ostrack_edge.runtime.errors import CheckpointError, InputError

GEOMETRY = published_geometry("ostrack-256")


def published_mask(box: list[float], size: int) -> np.ndarray:
    """The released code's mask of pixels, reduced by torch's own bilinear filter; clipped where that would wrap."""
    x, y, w, h = (float(np.float32(v) * np.float32(size)) for v in box)
    pixels = torch.zeros(1, 1, size, size)
    x1, y1, x2, y2 = (max(0, min(size, int(v))) for v in (x, y, x + w - 1, y + h - 1))
    pixels[..., y1:y2, x1:x2] = 1
    small = torch.nn.functional.interpolate(pixels, scale_factor=1 / 16, mode="bilinear", align_corners=False)
    return (small > 0).flatten().numpy()


def test_tokens_in_the_box_are_those_of_the_published_mask() -> None:
    random = np.random.default_rng(0)
    compared = 0
    for _ in range(500):
        size = random.uniform(0.02, 0.9, 2)
        corner = random.uniform(-0.1, 0.95, 2)
        box = [*corner.tolist(), *size.tolist()]
        expected = published_mask(box, 128)
        if expected.any():
            assert box_mask(GEOMETRY, torch.tensor([box]))[0].tolist() == expected.tolist(), box
            compared += 1
    assert compared > 300


@pytest.mark.parametrize("box", [[0.5, 0.5, 0.001, 0.001], [2.0, 2.0, 0.5, 0.5], [0.46, -1.0, 0.01, 3.0]])
def test_a_box_over_no_token_falls_back_to_the_centre(box: list[float]) -> None:
    mask = box_mask(GEOMETRY, torch.tensor([box, [0.25, 0.25, 0.5, 0.5]]))
    assert mask[0].nonzero().flatten().tolist() == [27]
    assert mask[1].sum() > 1


def test_a_very_long_box_keeps_the_tokens_inside_the_crop() -> None:
    # Aspect 9: the template crop is 2 sqrt(w h) wide, so that the box reaches outside by half of its own length.
    mask = box_mask(GEOMETRY, torch.tensor([[-0.25, 0.4167, 1.5, 0.1667]])).view(8, 8)
    assert mask[3:5].all()
    assert mask.sum() == 16


def test_ranking_is_the_mean_over_marked_tokens_and_heads() -> None:
    softmax = torch.zeros(1, 2, 5, 5)
    softmax[0, 0, 0, 2:] = torch.tensor([0.1, 0.2, 0.3])
    softmax[0, 1, 0, 2:] = torch.tensor([0.3, 0.0, 0.1])
    softmax[0, :, 1, 2:] = torch.tensor([0.9, 0.0, 0.0])
    one = rank_candidates(softmax, torch.tensor([[True, False]]))
    torch.testing.assert_close(one, torch.tensor([[0.2, 0.1, 0.2]]))
    both = rank_candidates(softmax, torch.tensor([[True, True]]))
    torch.testing.assert_close(both, torch.tensor([[0.55, 0.05, 0.1]]))


def test_elimination_keeps_the_best_and_restoring_puts_them_back() -> None:
    tokens = torch.arange(1.0, 7.0).view(1, 6, 1)
    softmax = torch.zeros(1, 1, 6, 6)
    softmax[0, 0, 1, 2:] = torch.tensor([0.1, 0.4, 0.2, 0.3])
    places = torch.tensor([[7, 0, 5, 2]])
    stage = eliminate(tokens, softmax, torch.tensor([[False, True]]), places, keep=2)
    assert stage.tokens.flatten().tolist() == [1, 2, 4, 6]
    assert stage.kept.tolist() == [[0, 2]]
    assert stage.removed.tolist() == [[5, 7]]
    assert restore(stage.tokens[:, 2:], stage.kept, 8).flatten().tolist() == [4, 0, 6, 0, 0, 0, 0, 0]


def test_the_network_asks_for_what_it_needs(small_network) -> None:
    template, search = torch.zeros(1, 3, 112, 112), torch.zeros(1, 3, 128, 128)
    with pytest.raises(InputError, match="needs template_mask"):
        small_network(template_tokens="box")(template, search)
    network = small_network()
    with pytest.raises(InputError, match=r"template must be \[B, 3, 112, 112\]"):
        network(search, search)
    with pytest.raises(InputError, match="1 templates for 2"):
        network(template, search.expand(2, -1, -1, -1))
    with pytest.raises(InputError, match=r"bool \[1, 49\]"):
        network(template, search, torch.ones(1, 49))
    with pytest.raises(InputError, match="marks no token"):
        network(template, search, torch.zeros(1, 49, dtype=torch.bool))


def test_an_explicit_mask_ranks_instead_of_the_default(small_network) -> None:
    random = torch.Generator().manual_seed(0)
    template = torch.randn(1, 3, 112, 112, generator=random)
    search = torch.randn(1, 3, 128, 128, generator=random)
    every = torch.ones(1, 49, dtype=torch.bool)
    with torch.inference_mode():
        masked = small_network()(template, search, every)
        named = small_network(template_tokens="all")(template, search)
        default = small_network()(template, search)
    assert masked.kept[0].tolist() == named.kept[0].tolist()
    assert set(masked.kept[0][0].tolist()) != set(default.kept[0][0].tolist())


def test_positions_are_resized_as_published() -> None:
    position = torch.randn(1, 197, 8, generator=torch.Generator().manual_seed(0))
    picture = position[:, 1:].transpose(1, 2).reshape(1, 8, 14, 14)
    expected = torch.nn.functional.interpolate(picture, size=(16, 16), mode="bicubic", align_corners=False)
    torch.testing.assert_close(resize_position_embedding(position, 16), expected.flatten(2).transpose(1, 2))
    torch.testing.assert_close(resize_position_embedding(position[:, 1:], 16), expected.flatten(2).transpose(1, 2))
    torch.testing.assert_close(resize_position_embedding(position, 14), position[:, 1:])
    with pytest.raises(CheckpointError, match="no square grid"):
        resize_position_embedding(position[:, :99], 16)
