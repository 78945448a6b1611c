"""Small networks, and pictures to put through them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ostrack_edge.export import OSTrack, untrained_network
from ostrack_edge.runtime.network import NetworkGeometry, TemplateTokens

SMALL = NetworkGeometry("small", 112, 128, 2.0, 4.0, 64, 4, 2, 128, 16, (1, 2), (0.7, 0.7), TemplateTokens.CENTRE)


def small_geometry(**changes: Any) -> NetworkGeometry:
    return dataclasses.replace(SMALL, **changes)


@pytest.fixture
def small_network():
    """Makes the small network, with changes to its geometry."""

    def make(seed: int = 0, **changes: Any) -> OSTrack:
        return untrained_network(small_geometry(**changes), seed)

    return make


@pytest.fixture
def pictures():
    """Random template uint8 [B, 112, 112, 3], boxes float32 [B, 4] in it, and search regions uint8 [B, 128, 128, 3]."""

    def make(batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        random = np.random.default_rng(batch)
        template = random.integers(0, 256, (batch, 112, 112, 3), np.uint8)
        search = random.integers(0, 256, (batch, 128, 128, 3), np.uint8)
        box = np.concatenate([random.uniform(0, 0.4, (batch, 2)), random.uniform(0.2, 0.5, (batch, 2))], 1)
        return template, box.astype(np.float32), search

    return make


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rendered clips with their truth, as a data set of folders holds them."""
    from ostrack_edge.datasets.scene import Scene
    from ostrack_edge.runtime.opencv import cv2

    root = tmp_path_factory.mktemp("clips")
    for seed in (3, 4):
        scene = Scene(320, 240, frames=40, seed=seed)
        folder = root / f"scene{seed}"
        (folder / "img").mkdir(parents=True)
        boxes = [scene.box(i) for i in range(len(scene))]
        for i in range(len(scene)):
            cv2.imwrite(str(folder / "img" / f"{i:04d}.jpg"), scene.frame(i))
        (folder / "groundtruth.txt").write_text("".join(f"{b.x},{b.y},{b.width},{b.height}\n" for b in boxes))
    return root
