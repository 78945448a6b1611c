"""The published losses on numbers worked by hand, against plain statements of them, and their gradients."""

from __future__ import annotations

import math

import pytest
import torch
from ostrack_edge.export.model import NetworkOutput
from ostrack_edge.train.losses import RegressAt, box_iou, corners, focal_loss, tracking_loss
from ostrack_edge.train.targets import CentreCell, heat_map
from torch import Tensor


def plain_focal(score: list[float], target: list[float]) -> float:
    total, peaks = 0.0, 0
    for p, t in zip(score, target, strict=True):
        if t == 1:
            total += (1 - p) ** 2 * math.log(p)
            peaks += 1
        else:
            total += (1 - t) ** 4 * p**2 * math.log(1 - p)
    return -total / max(1, peaks)


def plain_giou(a: list[float], b: list[float]) -> tuple[float, float]:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - across * down
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    iou = across * down / union
    return iou, iou - (hull - union) / hull


def random_boxes(count: int, seed: int) -> Tensor:
    """Corners, float64 [count, 4]."""
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=random, dtype=torch.float64)
    return torch.cat([low, low + 0.05 + torch.rand(count, 2, generator=random, dtype=torch.float64)], 1)


def test_the_focal_loss_by_hand() -> None:
    score = torch.tensor([[[[0.9, 0.2], [0.1, 0.5]]]])
    target = torch.tensor([[[[1.0, 0.5], [0.0, 0.8]]]])
    # 0.1^2 ln 0.9 + 0.5^4 0.2^2 ln 0.8 + 0.1^2 ln 0.9 + 0.2^4 0.5^2 ln 0.5
    assert focal_loss(score, target).item() == pytest.approx(
        0.00105361 + 0.00055786 + 0.00105361 + 0.00027726, abs=1e-7
    )
    # Two samples, two peaks: the mean over the peaks.
    twice = focal_loss(torch.cat([score, score]), torch.cat([target, target]))
    assert twice.item() == pytest.approx(0.00294233, abs=1e-7)


def test_the_focal_loss_is_the_plain_statement() -> None:
    random = torch.Generator().manual_seed(0)
    for _ in range(20):
        score = torch.rand(3, 1, 5, 5, generator=random, dtype=torch.float64).clamp(1e-4, 1 - 1e-4)
        target = torch.rand(3, 1, 5, 5, generator=random, dtype=torch.float64)
        target.view(3, -1)[range(3), torch.randint(25, (3,), generator=random)] = 1
        expected = plain_focal(score.flatten().tolist(), target.flatten().tolist())
        assert focal_loss(score, target).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "iou", "giou"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1, 1),
        ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7, 1 / 7 - 2 / 9),
        ((0, 0, 1, 1), (2, 0, 3, 1), 0, -1 / 3),
        ((0, 0, 4, 4), (1, 1, 3, 3), 1 / 4, 1 / 4),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0, 0),
        ((0, 0, 0, 0), (1, 1, 1, 1), 0, -1),
    ],
)
def test_giou_by_hand(a: tuple[float, ...], b: tuple[float, ...], iou: float, giou: float) -> None:
    for first, second in ((a, b), (b, a)):
        found = box_iou(torch.tensor([first], dtype=torch.float32), torch.tensor([second], dtype=torch.float32))
        assert [value.item() for value in found] == pytest.approx([iou, giou], abs=1e-6)


def test_giou_is_the_plain_statement() -> None:
    a, b = random_boxes(200, 1), random_boxes(200, 2)
    iou, giou = box_iou(a, b)
    expected = [plain_giou(*pair) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    assert iou.tolist() == pytest.approx([value for value, _ in expected], abs=1e-12)
    assert giou.tolist() == pytest.approx([value for _, value in expected], abs=1e-12)
    assert (iou == 0).any()
    assert (iou > 0.5).any()


def made_up_maps(batch: int = 1, grid: int = 4, seed: int = 0) -> NetworkOutput:
    random = torch.Generator().manual_seed(seed)

    def values(channels: int) -> Tensor:
        return 0.1 + 0.8 * torch.rand(batch, channels, grid, grid, generator=random, dtype=torch.float64)

    return NetworkOutput(values(1), values(2), values(2), (), ())


def test_the_terms_of_a_sample_by_hand() -> None:
    maps = made_up_maps()
    maps.score_map.fill_(0.2)[0, 0, 0, 1] = 0.7
    # The highest cell, column 1 and row 0, says: centre (1.5 / 4, 0.5 / 4), size 0.25 x 0.25.
    maps.offset_map[0, :, 0, 1] = 0.5
    maps.size_map[0, :, 0, 1] = 0.25
    # The true cell, column 2 and row 0: centre (2.5 / 4, 0.5 / 4), size 0.5 x 0.25.
    maps.offset_map[0, :, 0, 2] = 0.5
    maps.size_map[0, :, 0, 2] = torch.tensor([0.5, 0.25], dtype=torch.float64)
    # The truth's centre is (0.625, 0.125); above 0 it is cut to 0.375..0.875 x 0..0.375.
    box = torch.tensor([[0.375, -0.125, 0.5, 0.5]], dtype=torch.float64)

    def terms(where: RegressAt) -> list[float]:
        found = tracking_loss(maps, box, CentreCell.FLOOR, where)
        return [found.giou.item(), found.l1.item(), found.iou.item()]

    # Peak's box: 0.25..0.5 x 0..0.25; shared 0.125 x 0.25, union 0.0625 + 0.1875 - 0.03125, hull 0.625 x 0.375.
    iou = 0.03125 / 0.21875
    peak = [1 - (iou - (0.234375 - 0.21875) / 0.234375), (0.125 + 0 + 0.375 + 0.125) / 4, iou]
    # The true cell's: 0.375..0.875 x 0..0.25; inside the truth.
    truth = [1 - 0.125 / 0.1875, 0.125 / 4, iou]
    assert terms(RegressAt.PEAK) == pytest.approx(peak)
    assert terms(RegressAt.TRUTH) == pytest.approx(truth)
    assert terms(RegressAt.BOTH) == pytest.approx([(p + t) / 2 for p, t in zip(peak, truth, strict=True)])
    found = tracking_loss(maps, box, CentreCell.FLOOR, RegressAt.PEAK)
    assert found.focal.item() == pytest.approx(
        plain_focal(maps.score_map.flatten().tolist(), heat_map(box, 4, CentreCell.FLOOR).flatten().tolist())
    )


def test_a_batch_gives_the_mean_of_its_samples() -> None:
    maps, box = made_up_maps(5, seed=3), random_boxes(5, 4) / 3
    box = torch.cat([box[:, :2], box[:, 2:] - box[:, :2]], 1)
    whole = tracking_loss(maps, box, CentreCell.ROUND, RegressAt.PEAK)
    each = [
        tracking_loss(
            NetworkOutput(maps[0][i : i + 1], maps[1][i : i + 1], maps[2][i : i + 1], (), ()),
            box[i : i + 1],
            CentreCell.ROUND,
            RegressAt.PEAK,
        )
        for i in range(5)
    ]
    for name in whole._fields:
        mean = sum(getattr(one, name) for one in each) / 5
        torch.testing.assert_close(getattr(whole, name), mean)


def test_gradients() -> None:
    maps = made_up_maps(2, seed=5)
    target = heat_map(torch.tensor([[0.2, 0.3, 0.3, 0.4], [0.5, 0.1, 0.2, 0.2]], dtype=torch.float64), 4)
    score = maps.score_map.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: focal_loss(s, target), (score,))

    a, b = random_boxes(30, 6).requires_grad_(), random_boxes(30, 7).requires_grad_()
    assert torch.autograd.gradcheck(box_iou, (a, b))

    box = torch.tensor([[0.2, 0.3, 0.3, 0.4], [0.5, 0.1, 0.2, 0.2]], dtype=torch.float64)

    def all_terms(score: Tensor, size: Tensor, offset: Tensor) -> tuple[Tensor, ...]:
        found = tracking_loss(NetworkOutput(score, size, offset, (), ()), box, CentreCell.ROUND, RegressAt.BOTH)
        return found.focal, found.giou, found.l1

    inputs = (score, maps.size_map.requires_grad_(), maps.offset_map.requires_grad_())
    assert torch.autograd.gradcheck(all_terms, inputs)


def test_corners() -> None:
    assert corners(torch.tensor([[1.0, 2.0, 3.0, 4.0]])).tolist() == [[1, 2, 4, 6]]
