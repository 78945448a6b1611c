"""Crops and boxes, frame by frame, against the published tracker's: PyTorch and the exported bundle alike."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ostrack_edge import Box, Tracker
from ostrack_edge.export import VARIANTS, OSTrack, build_bundle
from ostrack_edge.export.reference import ReferenceBackend, SavingsBackend
from ostrack_edge.runtime.crop import Cropper
from ostrack_edge.runtime.geometry import crop_window


@pytest.fixture(scope="module")
def published(golden_folder: Path) -> dict[str, np.ndarray]:
    with np.load(golden_folder / "tracker256.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def network(weights) -> OSTrack:
    return weights(OSTrack(VARIANTS["ostrack-256"]))


@pytest.fixture(scope="module")
def bundle(network: OSTrack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden") / "bundle"
    build_bundle(network, folder, source="recipe")
    return folder


def test_crops_are_the_published_ones_byte_for_byte(published: dict[str, np.ndarray], recipe: ModuleType) -> None:
    init = Box(*published["init"].tolist())
    assert (Cropper(128).cut(recipe.scene_frame(0), crop_window(init, 2.0)) == published["template_crop"]).all()
    cropper = Cropper(256)
    for state, number, crop, scale in zip(
        published["states"],
        published["frame_index"],
        published["search_crops"],
        published["resize_factors"],
        strict=True,
    ):
        window = crop_window(Box(*state.tolist()), 4.0)
        assert (cropper.cut(recipe.scene_frame(int(number)), window) == crop).all()
        assert 256 / window.side == scale


@pytest.mark.parametrize("engine", ["pytorch", "pytorch with savings", "bundle", "bundle fed BGR"])
def test_boxes_are_the_published_ones(engine: str, published, recipe, network: OSTrack, bundle: Path) -> None:
    flip = engine == "bundle fed BGR"
    if engine == "pytorch":
        tracker = Tracker(ReferenceBackend(network), color="rgb")
    elif engine == "pytorch with savings":
        tracker = Tracker(SavingsBackend(network), color="rgb")
    else:
        tracker = Tracker.load(bundle, color="bgr" if flip else "rgb")

    def frame(number: int) -> np.ndarray:
        rgb = recipe.scene_frame(number)
        return rgb[:, :, ::-1] if flip else rgb

    tracker.init(frame(0), published["init"])
    for state, number, box in zip(published["states"], published["frame_index"], published["boxes"], strict=True):
        tracker.box = state
        found = tracker.update(frame(int(number)))
        np.testing.assert_allclose(found.box, box, rtol=0, atol=0.05)
        assert tracker.box == found.box
