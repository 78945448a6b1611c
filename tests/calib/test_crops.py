"""Crops in files: they come back as they were, or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ostrack_edge.calib.crops import CalibrationCrops, read_crops, write_crops
from ostrack_edge.runtime.errors import FootageError, OutputError
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry

Maker = Callable[..., CalibrationCrops]


@pytest.mark.parametrize("color", list(ColorOrder))
def test_round_trip(made_crops: Maker, tiny_geometry: NetworkGeometry, tmp_path: Path, color: ColorOrder) -> None:
    crops = made_crops(color=color)
    write_crops(tmp_path / "crops.npz", crops)
    found = read_crops(tmp_path / "crops.npz", tiny_geometry, color)
    for field in dataclasses.fields(crops):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(crops, field.name))
    assert found.color is color
    assert found.sha256 == crops.sha256
    assert (found.seen, found.unseen) == (list(range(16)), list(range(16, 20)))
    assert [path.name for path in tmp_path.iterdir()] == ["crops.npz"]


def test_the_same_crops_are_the_same_file(made_crops: Maker, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_crops(tmp_path / name, made_crops())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_hash_is_of_everything_but_the_names(made_crops: Maker) -> None:
    crops = made_crops()
    hashes = {crops.sha256, dataclasses.replace(crops, color=ColorOrder.RGB).sha256}
    for name in ("template", "template_box", "search", "target", "held_back"):
        array = getattr(crops, name).copy()
        array.flat[-1] = 0 if array.flat[-1] else 1
        hashes.add(dataclasses.replace(crops, **{name: array}).sha256)
    assert len(hashes) == 7
    assert dataclasses.replace(crops, sources=("other",)).sha256 == crops.sha256


def test_a_file_that_is_absent_or_none_of_crops(tiny_geometry: NetworkGeometry, tmp_path: Path) -> None:
    def refused(path: Path, words: str) -> None:
        with pytest.raises(FootageError, match=words) as caught:
            read_crops(path, tiny_geometry, ColorOrder.BGR)
        assert path.name in str(caught.value)

    refused(tmp_path / "absent.npz", "does not exist; make it with: ostrack-export calibrate")
    refused(tmp_path, "cannot be read: Is a directory")
    (tmp_path / "text.npz").write_text("no crops")
    refused(tmp_path / "text.npz", "holds no calibration crops")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    refused(tmp_path / "other.npz", "holds no calibration crops")


@pytest.mark.parametrize("keep", [0.3, 0.99])
def test_a_file_that_is_cut_short(
    made_crops: Maker, tiny_geometry: NetworkGeometry, tmp_path: Path, keep: float
) -> None:
    path = tmp_path / "crops.npz"
    write_crops(path, made_crops())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(FootageError, match=r"crops\.npz holds no calibration crops \(.+\); make it again"):
        read_crops(path, tiny_geometry, ColorOrder.BGR)


def test_a_damaged_byte_amid_the_pictures(made_crops: Maker, tiny_geometry: NetworkGeometry, tmp_path: Path) -> None:
    path = tmp_path / "crops.npz"
    write_crops(path, made_crops())
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(FootageError, match="holds no calibration crops"):
        read_crops(path, tiny_geometry, ColorOrder.BGR)


def test_crops_of_another_network_or_colour(made_crops: Maker, tiny_geometry: NetworkGeometry, tmp_path: Path) -> None:
    write_crops(tmp_path / "crops.npz", made_crops())
    larger = dataclasses.replace(tiny_geometry, search_size=256)
    with pytest.raises(FootageError, match=r"search is uint8 \[20, 128, 128, 3\]\); make crops with this bundle"):
        read_crops(tmp_path / "crops.npz", larger, ColorOrder.BGR)
    with pytest.raises(FootageError, match="holds bgr crops and the bundle takes rgb; make crops with this bundle"):
        read_crops(tmp_path / "crops.npz", tiny_geometry, ColorOrder.RGB)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("search", lambda a: a.astype(np.float32), "search is float32"),
        ("held_back", lambda a: a[:-1], r"held_back is bool \[19\]"),
        ("target", lambda a: a + 1, "belongs to no template"),
        ("target", lambda a: a - 1, "belongs to no template"),
        ("template_box", lambda a: a * np.float32(np.nan), "the box of a template is not finite"),
        ("held_back", lambda a: a & False, "too few crops, 20 to calibrate on and 0 held back"),
        ("held_back", lambda a: a | True, "too few crops, 0 to calibrate on and 20 held back, where 16 and 4"),
    ],
)
def test_crops_that_do_not_hang_together(
    made_crops: Maker, tiny_geometry: NetworkGeometry, tmp_path: Path, name: str, change: Any, words: str
) -> None:
    crops = made_crops()
    write_crops(tmp_path / "crops.npz", dataclasses.replace(crops, **{name: change(getattr(crops, name))}))
    with pytest.raises(FootageError, match=words):
        read_crops(tmp_path / "crops.npz", tiny_geometry, ColorOrder.BGR)


def test_no_crops_at_all(made_crops: Maker, tiny_geometry: NetworkGeometry, tmp_path: Path) -> None:
    write_crops(tmp_path / "crops.npz", made_crops(seen=0, unseen=0))
    with pytest.raises(FootageError, match="it holds no crops"):
        read_crops(tmp_path / "crops.npz", tiny_geometry, ColorOrder.BGR)


def test_a_place_that_cannot_be_written(made_crops: Maker, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_crops(tmp_path / "absent" / "crops.npz", made_crops())
