"""The guidance of the ranking on numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from ostrack_edge.train.guidance import overlap_with_cells, ranking_loss
from torch import Tensor


def test_the_overlap_by_hand() -> None:
    box = torch.tensor([[0.25, 0.25, 0.5, 0.5], [0.5, -1.0, 0.25, 1.5], [2.0, 0.0, 1.0, 1.0]])
    assert overlap_with_cells(box, 2).tolist() == [[0.25] * 4, [0, 0.5, 0, 0], [0, 0, 0, 0]]


def test_the_overlap_adds_up_to_the_area() -> None:
    random = torch.Generator().manual_seed(0)
    box = torch.rand(20, 4, generator=random, dtype=torch.float64) * 0.5
    found = overlap_with_cells(box, 8)
    torch.testing.assert_close(found.sum(1), box[:, 2] * box[:, 3] * 64)
    assert found.max() <= 1
    # Row-major: the first row of cells is the uppermost.
    assert overlap_with_cells(torch.tensor([[0.5, 0.0, 0.5, 0.25]]), 4).nonzero()[:, 1].tolist() == [2, 3]


def attention(rows: list[list[float]], candidates: int) -> Tensor:
    """One head, one template token whose row to the candidates is given for each sample."""
    softmax = torch.zeros(len(rows), 1, 1 + candidates, 1 + candidates)
    softmax[:, 0, 0, 1:] = torch.tensor(rows)
    return softmax


def test_the_loss_by_hand() -> None:
    softmax = attention([[0.1, 0.2, 0.3], [0.2, 0.2, 0.1]], 3)
    seen = torch.tensor([[2, 0, 3], [0, 1, 2]])
    overlap = torch.tensor([[0.5, 1.0, 0.5, 0.0], [0.0, 0.0, 1.0, 0.0]])
    mask = torch.ones(2, 1, dtype=torch.bool)
    # Of the first target half lies at each of the candidates 0.1 and 0.2 of 0.6; what lies in cell 1 is gone.
    first = -(0.5 * math.log(0.1 / 0.6) + 0.5 * math.log(0.2 / 0.6))
    second = -math.log(0.1 / 0.5)
    assert ranking_loss(softmax, mask, seen, overlap).item() == pytest.approx((first + second) / 2)


def test_a_target_that_was_dropped_counts_nothing() -> None:
    softmax = attention([[0.1, 0.2, 0.3], [0.2, 0.2, 0.1]], 3)
    seen = torch.tensor([[2, 0, 3], [0, 1, 2]])
    mask = torch.ones(2, 1, dtype=torch.bool)
    overlap = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert ranking_loss(softmax, mask, seen, overlap).item() == pytest.approx(math.log(5))
    assert ranking_loss(softmax, mask, seen, torch.zeros(2, 4)).item() == 0


def test_several_tokens_and_heads_are_averaged_first() -> None:
    softmax = torch.zeros(1, 2, 4, 4)
    softmax[0, :, 0, 2:] = torch.tensor([[0.1, 0.3], [0.3, 0.1]])
    softmax[0, :, 1, 2:] = torch.tensor([[0.2, 0.0], [0.2, 0.0]])
    seen, overlap = torch.tensor([[0, 1]]), torch.tensor([[0.0, 1.0]])
    both = ranking_loss(softmax, torch.tensor([[True, True]]), seen, overlap)
    assert both.item() == pytest.approx(-math.log(0.1 / 0.3))
    one = ranking_loss(softmax, torch.tensor([[True, False]]), seen, overlap)
    assert one.item() == pytest.approx(-math.log(0.5))


def test_gradients() -> None:
    random = torch.Generator().manual_seed(0)
    softmax = torch.rand(2, 2, 6, 6, generator=random, dtype=torch.float64).softmax(-1).requires_grad_()
    mask = torch.tensor([[True, False], [True, True]])
    seen = torch.tensor([[0, 1, 2, 3], [3, 2, 8, 4]])
    overlap = torch.rand(2, 9, generator=random, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda s: ranking_loss(s, mask, seen, overlap), (softmax,))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_small_shares(kind: torch.dtype) -> None:
    row = [1e-4, 0.99, 2e-4]
    softmax = attention([row], 3).to(kind).requires_grad_()
    mask, seen = torch.ones(1, 1, dtype=torch.bool), torch.tensor([[0, 1, 2]])
    held = softmax[0, 0, 0, 1:].tolist()
    with torch.autocast("cpu", kind):
        loss = ranking_loss(softmax, mask, seen, torch.tensor([[1.0, 0.0, 0.0]]))
        none = ranking_loss(attention([[0.0, 0.9, 0.1]], 3).to(kind), mask, seen, torch.tensor([[1.0, 0.0, 0.0]]))
    assert loss.item() == pytest.approx(-math.log(held[0] / sum(held)), rel=1e-6)
    assert torch.isfinite(none)
    loss.backward()
    assert softmax.grad is not None
    assert softmax.grad.isfinite().all()
