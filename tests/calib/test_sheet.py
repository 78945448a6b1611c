"""The contact sheet shows what is in the crops."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.calib.crops import CalibrationCrops
from ostrack_edge.calib.sheet import CELL, HELD_BACK, INSET, contact_sheet, write_sheet
from ostrack_edge.runtime.errors import OutputError
from ostrack_edge.runtime.network import ColorOrder
from ostrack_edge.runtime.opencv import cv2

Maker = Callable[..., CalibrationCrops]


@pytest.fixture
def plain(made_crops: Maker) -> CalibrationCrops:
    """Each search region of one colour by its number, each template of one by its own."""
    crops = made_crops(seen=5, unseen=2)
    for number, crop in enumerate(crops.search):
        crop[:] = (10 * number, 200, 30)
    for number, template in enumerate(crops.template):
        template[:] = (90, 20 * number, 160)
    return crops


def cells(sheet: np.ndarray) -> list[np.ndarray]:
    rows = sheet.reshape(-1, CELL, sheet.shape[1] // CELL, CELL, 3).swapaxes(1, 2)
    return list(rows.reshape(-1, CELL, CELL, 3))


def test_every_search_region_with_its_template(plain: CalibrationCrops) -> None:
    sheet = contact_sheet(plain)
    assert sheet.shape == (3 * CELL, 3 * CELL, 3)
    shown = cells(sheet)
    for row, cell in enumerate(shown[:7]):
        assert cell[100, 100].tolist() == [10 * row, 200, 30]
        assert cell[INSET // 2, INSET // 2].tolist() == [90, 20 * plain.target[row], 160]
        # The target's box, a quarter from the edge.
        assert cell[INSET // 2, INSET // 4].tolist() == [255, 255, 255]
        assert (cell[-1, 60].tolist() == list(HELD_BACK)) is bool(plain.held_back[row])
    assert not np.any(shown[7:])


def test_rgb_crops_look_the_same(plain: CalibrationCrops) -> None:
    rgb = dataclasses.replace(
        plain, search=plain.search[..., ::-1], template=plain.template[..., ::-1], color=ColorOrder.RGB
    )
    np.testing.assert_array_equal(contact_sheet(rgb), contact_sheet(plain))


def test_the_file(plain: CalibrationCrops, tmp_path: Path) -> None:
    write_sheet(tmp_path / "crops.png", plain)
    found = cv2.imread(str(tmp_path / "crops.png"))
    assert found is not None
    np.testing.assert_array_equal(found, contact_sheet(plain))
    write_sheet(tmp_path / "crops.JPG", plain)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crops.JPG", "crops.png"]
    with pytest.raises(OutputError, match=r"crops\.gif cannot be written as a picture; give a name that ends in \.jpg"):
        write_sheet(tmp_path / "crops.gif", plain)
    with pytest.raises(OutputError, match="there is no folder"):
        write_sheet(tmp_path / "absent" / "crops.png", plain)
