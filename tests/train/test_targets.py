"""The heat map against a plain statement of the released code's, after CornerNet."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ostrack_edge.train.targets import CentreCell, centre_cells, gaussian_radius, heat_map


def released_radius(width: float, height: float, overlap: float = 0.7) -> float:
    b1, c1 = height + width, width * height * (1 - overlap) / (1 + overlap)
    r1 = (b1 + math.sqrt(b1**2 - 4 * c1)) / 2
    b2, c2 = 2 * (height + width), (1 - overlap) * width * height
    r2 = (b2 + math.sqrt(b2**2 - 4 * 4 * c2)) / 2
    a3, b3, c3 = 4 * overlap, -2 * overlap * (height + width), (overlap - 1) * width * height
    r3 = (b3 + math.sqrt(b3**2 - 4 * a3 * c3)) / 2
    return min(r1, r2, r3)


def released_map(box: np.ndarray, grid: int) -> np.ndarray:
    """Draws a Gaussian of whole size, cut at the map's edges, at the nearest cell's corner."""
    x, y, width, height = (float(v) for v in box * grid)
    column, row = int(np.round(x + width / 2)), int(np.round(y + height / 2))
    radius = int(max(0.0, released_radius(width, height)))
    sigma = (2 * radius + 1) / 6
    map_ = np.zeros((grid, grid))
    for v in range(max(0, row - radius), min(grid, row + radius + 1)):
        for u in range(max(0, column - radius), min(grid, column + radius + 1)):
            map_[v, u] = math.exp(-((u - column) ** 2 + (v - row) ** 2) / (2 * sigma**2))
    return map_


def test_the_radius_by_hand() -> None:
    # 4 x 4 cells: the third case, (-11.2 + sqrt(125.44 + 53.76)) / 2, is the least.
    assert gaussian_radius(torch.tensor([[4.0, 4.0]])).item() == pytest.approx(1.09330, abs=1e-4)


def test_the_heat_map_by_hand() -> None:
    map_ = heat_map(torch.tensor([[0.25, 0.25, 0.5, 0.5]]), 8)[0, 0]
    beside, corner = math.exp(-2), math.exp(-4)  # radius 1, sigma 1/2
    expected = torch.zeros(8, 8)
    expected[3:6, 3:6] = torch.tensor([[corner, beside, corner], [beside, 1, beside], [corner, beside, corner]])
    torch.testing.assert_close(map_, expected)


def test_radius_and_map_are_the_released_ones() -> None:
    random = np.random.default_rng(0)
    radii = set()
    for grid in (8, 16, 24):
        for _ in range(150):
            width, height = np.exp(random.uniform(np.log(0.03), np.log(0.95), 2))
            centre = random.uniform(0.02, 0.96, 2)
            box = np.array([centre[0] - width / 2, centre[1] - height / 2, width, height])
            expected = released_radius(width * grid, height * grid)
            assert gaussian_radius(torch.tensor([[width * grid, height * grid]])).item() == pytest.approx(expected)
            radii.add(int(expected))
            found = heat_map(torch.tensor(box)[None], grid)[0, 0].numpy()
            if centre.max() * grid < grid - 0.5:  # nearer to the next cell the released map holds no peak at all
                np.testing.assert_allclose(found, released_map(box, grid), atol=1e-12)
            assert (found == 1).sum() == 1
    assert {0, 1, 2, 3} <= radii


@pytest.mark.parametrize(
    ("rule", "centre", "cell"),
    [
        (CentreCell.ROUND, (2.4, 2.6), (2, 3)),
        (CentreCell.ROUND, (2.5, 3.5), (2, 4)),  # half to even, as torch rounds
        (CentreCell.FLOOR, (2.4, 2.6), (2, 2)),
        (CentreCell.FLOOR, (3.0, 2.99), (3, 2)),
        (CentreCell.ROUND, (7.9, -0.2), (7, 0)),
        (CentreCell.FLOOR, (8.3, -2.0), (7, 0)),
    ],
)
def test_the_cell_of_the_peak(rule: CentreCell, centre: tuple[float, float], cell: tuple[int, int]) -> None:
    box = torch.tensor([[centre[0] / 8 - 0.125, centre[1] / 8 - 0.125, 0.25, 0.25]], dtype=torch.float64)
    assert centre_cells(box, 8, rule).tolist() == [list(cell)]
    assert heat_map(box, 8, rule)[0, 0, cell[1], cell[0]] == 1


def test_a_batch_is_its_samples() -> None:
    random = torch.Generator().manual_seed(1)
    box = torch.rand(6, 4, generator=random) * 0.5
    for rule in CentreCell:
        torch.testing.assert_close(heat_map(box, 8, rule), torch.cat([heat_map(b[None], 8, rule) for b in box]))
