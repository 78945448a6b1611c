"""What costs accuracy is found, and kept in float where a bound asks for it."""

from __future__ import annotations

import pytest
from ostrack_edge.calib.ranges import TensorRange
from ostrack_edge.export.precision.agree import Pair, Runner
from ostrack_edge.export.precision.linears import linears
from ostrack_edge.export.precision.sensitivity import Trial, keep_fewest
from ostrack_edge.runtime.errors import VerificationError
from ostrack_edge.runtime.manifest import Recipe

from .test_placement import ranges  # noqa: F401


@pytest.fixture
def damaged(tiny_pair: Pair, ranges: dict[str, TensorRange], tiny_runner: Runner) -> Trial:  # noqa: F811
    """Ranges of which one clips nearly everything: that of the second block's first MLP Linear."""
    data = next(linear.data for linear in linears(tiny_pair.search) if linear.name == "blocks.1.mlp.fc1")
    spoilt = TensorRange(-0.01, 0.01, ranges[data].channel_max)
    return Trial(tiny_pair, Recipe.LINEARS, {**ranges, data: spoilt}, tiny_runner)


def test_the_damaged_linear_ranks_first(damaged: Trial) -> None:
    ranked = damaged.rank(by_block=False)
    assert ranked[0].name == "blocks.1.mlp.fc1"
    assert ranked[0].drop > 3 * ranked[1].drop
    assert len(ranked) == len(damaged.names)
    blocks = damaged.rank(by_block=True)
    assert blocks[0].name == "blocks.1"
    assert sorted(name for b in blocks for name in b.linears) == sorted(damaged.names)


def test_the_fewest_linears_are_kept(damaged: Trial) -> None:
    everything = damaged.drop(())[0]
    bound = (everything + damaged.drop(("blocks.1.mlp.fc1",))[0]) / 2
    assert keep_fewest(damaged, bound) == ("blocks.1.mlp.fc1",)
    assert keep_fewest(damaged, min(0.99, everything * 1.01)) == ()


def test_a_bound_that_nothing_holds_is_said(damaged: Trial) -> None:
    with pytest.raises(
        VerificationError, match=r"no Linear can be in INT8 within a drop of 1e-12: .* alone costs more"
    ):
        keep_fewest(damaged, 1e-12)
