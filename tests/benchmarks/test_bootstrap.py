import math

import numpy as np
import pytest
from ostrack_edge.benchmarks import bootstrap
from ostrack_edge.benchmarks.bootstrap import over_frames, over_sequences
from ostrack_edge.runtime.errors import BenchmarkError


def test_the_same_figures_do_not_differ() -> None:
    found = over_sequences([0.5, 0.7, 0.9], [0.5, 0.7, 0.9])
    assert (found.difference, found.low, found.high, found.differs) == (0, 0, 0, False)
    frames = [np.array([0.1, 0.9, 0.4])]
    assert not over_frames(frames, frames).differs


def test_the_same_step_everywhere_is_a_difference_however_the_sequences_scatter() -> None:
    a = np.linspace(0.1, 0.9, 8)
    found = over_sequences(a + 0.01, a)
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))
    assert found.differs
    assert over_sequences(a, a + 0.01).differs


def test_one_sequence_of_many_is_no_difference() -> None:
    found = over_sequences([0.5] * 9 + [0.9], [0.5] * 10)
    assert found.difference == pytest.approx(0.04)
    assert found.low == 0
    assert not found.differs


def test_the_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(5).normal(0.02, 0.1, 400)
    found = over_sequences(values, np.zeros(400))
    spread = 1.96 * values.std() / math.sqrt(400)
    assert found.low == pytest.approx(values.mean() - spread, abs=0.1 * spread)
    assert found.high == pytest.approx(values.mean() + spread, abs=0.1 * spread)
    wider = over_sequences(values, np.zeros(400), level=0.99)
    assert wider.low < found.low < found.high < wider.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    draws = [generator.normal(0.05, 0.2, 60) for _ in range(200)]
    found = [over_sequences(d, np.zeros(60), resamples=500) for d in draws]
    assert 0.90 <= np.mean([one.low <= 0.05 <= one.high for one in found]) <= 0.98


def test_a_seed_gives_the_same_interval_again() -> None:
    a, b = np.random.default_rng(2).uniform(size=(2, 20))
    assert over_sequences(a, b, seed=3) == over_sequences(a, b, seed=3)
    assert over_sequences(a, b, seed=3) != over_sequences(a, b, seed=4)
    frames = [a], [b]
    assert over_frames(*frames, seed=3) == over_frames(*frames, seed=3)
    assert over_frames(*frames, seed=3) != over_frames(*frames, seed=4)


def test_drawing_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.random.default_rng(2).uniform(size=(2, 20))
    whole = over_sequences(a, b), over_frames([a, a], [b, b], block=3)
    monkeypatch.setattr(bootstrap, "_CHUNK", 999)
    assert (over_sequences(a, b), over_frames([a, a], [b, b], block=3))[0] == whole[0]
    # The frames' blocks are drawn sequence by sequence in either case.
    assert over_frames([a, a], [b, b], block=3) == whole[1]


def test_one_sequence_says_nothing_of_others_but_much_of_its_frames() -> None:
    alone = over_sequences([0.9], [0.1])
    assert not alone.differs
    assert alone.difference == pytest.approx(0.8)
    frames = np.random.default_rng(1).uniform(0.5, 0.9, 400)
    assert over_frames([frames], [frames - 0.2]).differs


def test_a_sequence_shorter_than_a_block_is_not_sure_of_itself() -> None:
    scattered = np.random.default_rng(1).normal(0, 0.3, 20)
    found = over_frames([scattered], [np.zeros(20)])
    assert found.high - found.low > 0.05
    assert not over_frames([np.array([0.9])], [np.array([0.1])]).differs


def test_frames_that_fail_together_widen_the_interval() -> None:
    together = np.repeat(np.random.default_rng(1).normal(0, 0.2, 40), 25)
    blocks = over_frames([together], [np.zeros(1000)])
    single = over_frames([together], [np.zeros(1000)], block=1)
    assert blocks.high - blocks.low > 3 * (single.high - single.low)


def test_a_sequence_weighs_by_itself_and_not_by_its_frames() -> None:
    found = over_frames([np.full(10, 0.8), np.full(1000, 0.2)], [np.zeros(10), np.zeros(1000)], block=7)
    assert found.difference == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((0.5, 0.5))
    assert found.count == 1010


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"one figure of each tracker per sequence, not \[2\] and \[1\]"):
        over_sequences([1, 2], [1])
    with pytest.raises(BenchmarkError, match="some are not finite"):
        over_sequences([1, math.nan], [1, 2])
    with pytest.raises(BenchmarkError, match="per frame of sequence 2"):
        over_frames([np.ones(3), np.ones(3)], [np.ones(3), np.ones(4)])
    with pytest.raises(BenchmarkError, match="frames of 0 and 0 sequences"):
        over_frames([], [])
    with pytest.raises(BenchmarkError, match="too few"):
        over_sequences([1, 2], [1, 2], resamples=5)
    with pytest.raises(BenchmarkError, match="between 0 and 1"):
        over_sequences([1, 2], [1, 2], level=95)
    with pytest.raises(BenchmarkError, match="at least one frame"):
        over_frames([np.ones(3)], [np.ones(3)], block=0)
