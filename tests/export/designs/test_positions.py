from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ostrack_edge.export import untrained_network
from ostrack_edge.export.model.relative import relative_position_count, relative_position_index
from ostrack_edge.export.model.stark import sine_positions
from ostrack_edge.export.model.swintrack import SwinTrackRelation
from torch import Tensor

from .conftest import DESIGNS


def test_relative_positions_are_numbered_as_in_the_published_code(shared: Path) -> None:
    with np.load(shared / "golden" / "relative_position_index.npz") as arrays:
        np.testing.assert_array_equal(relative_position_index(8, 16).numpy(), arrays["index"])


@pytest.mark.parametrize("grids", [(7, 8), (8, 16), (12, 24), (4, 4)])
def test_every_relative_position_has_one_bias(grids: tuple[int, int]) -> None:
    index = relative_position_index(*grids)
    assert index.unique().tolist() == list(range(relative_position_count(*grids)))


def test_pairs_share_a_bias_where_they_lie_alike_and_are_of_the_same_kinds() -> None:
    index = relative_position_index(2, 3)
    # Template tokens 0..3 on 2x2, search tokens 4..12 on 3x3.
    assert index[0, 1] == index[2, 3]
    assert index[4, 5] == index[7, 8] == index[11, 12]
    kinds = [index[0, 1], index[4, 5], index[0, 5], index[4, 1]]
    assert len({int(kind) for kind in kinds}) == 4


def test_the_bias_of_kept_tokens_is_that_of_their_rows_and_columns() -> None:
    network = untrained_network(DESIGNS["relative"])
    biases: list[Tensor] = []
    block = network.backbone.ordered_blocks[3]
    block.attn.register_forward_pre_hook(lambda module, given: biases.append(given[1]))
    with torch.inference_mode():
        out = network(torch.randn(2, 3, 112, 112), torch.randn(2, 3, 128, 128))
        whole = block.attn.relative_bias(network.backbone.relative_index)
    assert whole is not None
    for sample, kept in enumerate(out.kept[-1]):
        where = [*range(49), *(49 + kept).tolist()]
        torch.testing.assert_close(biases[0][sample], whole[:, where][:, :, where])


def test_untied_positions_of_some_tokens_are_rows_and_columns_of_all() -> None:
    relation = untrained_network(DESIGNS["extra relation"]).relation
    assert isinstance(relation, SwinTrackRelation)
    queries, keys = torch.tensor([[3, 60], [50, 0]]), torch.tensor([[1, 2, 112], [49, 48, 7]])
    with torch.inference_mode():
        whole, some = relation.positions(), relation.positions(queries, keys)
    for sample in (0, 1):
        rows = whole[:, queries[sample]][:, :, keys[sample]]
        torch.testing.assert_close(some[sample], rows, rtol=1e-4, atol=1e-5)


def test_sine_positions_tell_places_apart_and_have_the_rows_first() -> None:
    positions = sine_positions(4, 32).reshape(4, 4, 32)
    assert len({tuple(p.tolist()) for p in positions.flatten(0, 1)}) == 16
    torch.testing.assert_close(positions[1, 0, :16], positions[1, 3, :16])
    torch.testing.assert_close(positions[0, 1, 16:], positions[3, 1, 16:])
    # The first row's first wave: a quarter of 2 pi, as sine and cosine.
    torch.testing.assert_close(positions[0, 0, :2], torch.tensor([1.0, 0.0]), rtol=0, atol=1e-5)
