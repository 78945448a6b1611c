"""The default model: that it is whole, that its parts belong together, and that it follows a target."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import Box, Tracker
from ostrack_edge.datasets import Scene, agreement, open_dataset
from ostrack_edge.export import load_network
from ostrack_edge.export.build import weights_sha256
from ostrack_edge.export.checkpoint import read_checkpoint
from ostrack_edge.export.match import load_matching_network
from ostrack_edge.models import DEFAULT_NAME, default, default_bundle, default_card, default_checkpoint
from ostrack_edge.runtime.backends import load_backend
from ostrack_edge.runtime.bundle import Bundle, file_sha256
from ostrack_edge.runtime.errors import BundleError, CheckpointError
from ostrack_edge.runtime.selftest import check_agreement, compare, read_reference

RENDERED_IOU = 0.5
"""Of a clip through which a tracker that stays where it was put keeps far less."""

REAL_IOU = 0.3
"""Over footage that nothing was trained on; made-up weights reach 0.1."""


# ---- its parts belong together


def test_the_bundle_belongs_to_the_weights() -> None:
    manifest, network = Bundle.open(default_bundle()).manifest, load_network()
    assert manifest.network == network.geometry
    assert manifest.network.variant == DEFAULT_NAME
    assert manifest.weights_sha256 == weights_sha256(network)
    assert manifest.source == f"{default_checkpoint().name} sha256:{file_sha256(default_checkpoint())}"
    assert manifest.trained


def test_the_bundle_gives_what_pytorch_gives() -> None:
    bundle = Bundle.open(default_bundle())
    assert load_matching_network(bundle, default_checkpoint()).geometry == bundle.manifest.network
    check_agreement(compare(load_backend(bundle), read_reference(bundle)))


def test_the_weights_are_half_the_size_of_the_network() -> None:
    kinds = {str(t.dtype) for t in read_checkpoint(default_checkpoint()).tensors.values() if t.is_floating_point()}
    assert kinds == {"torch.float16"}


def test_nothing_else_lies_in_the_bundle() -> None:
    manifest = json.loads((default_bundle() / "manifest.json").read_text())
    named = {file["path"] for file in (*manifest["graphs"], manifest["reference"])}
    found = {str(p.relative_to(default_bundle())) for p in default_bundle().rglob("*") if p.is_file()}
    assert found == {"manifest.json", *named}


def test_it_comes_with_its_card_and_its_licence() -> None:
    assert DEFAULT_NAME in default_card().read_text(encoding="utf-8")
    assert list(default_card().parents[1].glob("LICENSE*"))


def test_its_card_has_lines_that_fit_a_screen() -> None:
    lines = default_card().read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if len(line) > 120 and not line.startswith("|")]


# ---- what is said where it is not installed


def test_an_installation_without_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default, "_HOME", tmp_path / "edge")
    with pytest.raises(
        BundleError, match=r"the default model edge is not .* install ostrack-edge again, or name a bund"
    ):
        Tracker.load()
    with pytest.raises(CheckpointError, match=r"edge\.safetensors\); install .* or name a checkpoint of your own"):
        load_network()


def test_a_damaged_one_is_to_be_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(default_bundle().parent, tmp_path / "edge")
    monkeypatch.setattr(default, "_HOME", tmp_path / "edge")
    for path in sorted(default_bundle().rglob("*.*")):
        good = path.read_bytes()
        path.write_bytes(good[:-3])
        with pytest.raises(BundleError, match=rf"{path.name} is damaged.*; install ostrack-edge again$"):
            Bundle.open(default_bundle())
        path.write_bytes(good)
    with default_checkpoint().open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(CheckpointError, match=r"damaged safetensors file .*; install ostrack-edge again$"):
        load_network()
    # Anybody's own bundle is made or copied again.
    own = shutil.copytree(default_bundle(), tmp_path / "own")
    (own / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match=r"; build the bundle again$"):
        Bundle.open(own)


# ---- it tracks


def followed(frames: Iterable[np.ndarray], init: Box) -> list[Box]:
    tracker, boxes = Tracker.load(threads=1), []
    for frame in frames:
        if not boxes:
            tracker.init(frame, init)
        boxes.append(tracker.update(frame).box if boxes else init)
    return boxes


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_follows_the_rendered_scene(seed: int) -> None:
    scene = Scene(seed=seed)
    truth = [scene.box(i) for i in range(len(scene))]
    found = agreement(followed(map(scene.frame, range(len(scene))), truth[0]), truth)
    stayed = agreement([truth[0]] * len(truth), truth)
    assert found is not None
    assert stayed is not None
    assert stayed.mean_iou < RENDERED_IOU / 2
    assert found.mean_iou > RENDERED_IOU


def test_it_follows_real_targets(shared: Path) -> None:
    dataset = open_dataset(f"folders:{shared / 'sequences'}")
    found = []
    for sequence in dataset.sequences:
        truth = [Box(*box) for box in sequence.truth.tolist()]
        result = agreement(followed(sequence.frames, truth[0]), truth)
        assert result is not None
        found.append(result.mean_iou)
    assert len(found) == 10
    assert np.mean(found) > REAL_IOU
