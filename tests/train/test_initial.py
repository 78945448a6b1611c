"""What a fresh network is before its first step."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.initial import fresh_network, sine_positions


def test_the_seed_decides_and_nothing_else_moves(mini: NetworkGeometry) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, again, other = fresh_network(mini, 1), fresh_network(mini, 1), fresh_network(mini, 2)
    assert torch.rand(1) == expected
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert not torch.equal(first.backbone.pos_embed_z, other.backbone.pos_embed_z)


@pytest.mark.parametrize("width", [64, 66])
def test_positions_are_on_one_scale_from_the_middle(width: int) -> None:
    large, small = sine_positions(8, width).view(8, 8, width), sine_positions(4, width).view(4, 4, width)
    assert torch.equal(large[2:6, 2:6], small)
    assert torch.equal(large[:, :, 64:], torch.zeros(8, 8, width - 64))
    # A quarter of the channels each: sine and cosine along the row, sine and cosine along the column.
    torch.testing.assert_close(large[5, 6, 0], torch.tensor(2.5).sin())
    torch.testing.assert_close(large[5, 6, 16], torch.tensor(2.5).cos())
    torch.testing.assert_close(large[5, 6, 32], torch.tensor(1.5).sin())
    assert len({tuple(position) for position in large.view(64, width).tolist()}) == 64


def test_attention_begins_as_likeness() -> None:
    geometry = NetworkGeometry("wide", 32, 64, 2.0, 4.0, 96, 1, 2, 64, 8, (0,), (0.5,))
    attention = fresh_network(geometry).backbone.ordered_blocks[0].attn
    query, key, value = attention.qkv.weight.detach().view(3, 2, 48, 96)
    for head in range(2):
        alike = query[head].T @ key[head]
        off = alike - alike.diag().diag()
        assert alike.diag().mean() > 0.3
        assert off.mean().abs() < 0.02
    # What comes back lessens what was there, as a residual block's may.
    back = attention.proj.weight.detach() @ value.reshape(96, 96)
    assert back.diag().mean() == pytest.approx(-0.4, abs=0.1)
    assert attention.qkv.bias.abs().sum() == 0


def test_the_head_begins_calm(mini: NetworkGeometry) -> None:
    network = fresh_network(dataclasses.replace(mini, width=64)).eval()
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        maps = network(torch.randn(2, 3, 32, 32, generator=random), torch.randn(2, 3, 64, 64, generator=random))
    assert maps.score_map.mean().item() == pytest.approx(0.01, abs=0.005)
    assert maps.size_map.mean().item() == pytest.approx(0.25, abs=0.05)
    assert maps.offset_map.mean().item() == pytest.approx(0.5, abs=0.05)
