"""Which checkpoint the PyTorch rows take where none is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.fps.measure import reference_weights
from ostrack_edge.benchmarks.weights import checkpoint_of
from ostrack_edge.models import default, default_bundle, default_checkpoint
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import CheckpointError


def test_the_default_models_bundles_bring_their_checkpoint(tiny_bundle: Path) -> None:
    edge, tiny = Bundle.open(default_bundle()), Bundle.open(tiny_bundle)
    of_edge = dataclasses.replace(
        tiny, manifest=dataclasses.replace(tiny.manifest, weights_sha256=edge.manifest.weights_sha256)
    )
    assert checkpoint_of(edge, None) == checkpoint_of(of_edge, None) == default_checkpoint()
    assert checkpoint_of(tiny, None) is None
    assert checkpoint_of(edge, Path("given.pth")) == Path("given.pth")


def test_an_installation_without_the_default_model_goes_on(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default, "_HOME", tmp_path)
    assert checkpoint_of(Bundle.open(tiny_bundle), None) is None


def test_the_default_models_bundle_without_its_checkpoint_says_so(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "edge"
    home.mkdir()
    (home / "bundle").symlink_to(tiny_bundle)
    monkeypatch.setattr(default, "_HOME", home)
    tiny = Bundle.open(tiny_bundle)
    with pytest.raises(CheckpointError, match=r"no .*edge\.safetensors\); install ostrack-edge again, or name a check"):
        checkpoint_of(tiny, None)
    other = dataclasses.replace(tiny, manifest=dataclasses.replace(tiny.manifest, weights_sha256="0"))
    assert checkpoint_of(other, None) is None
    # Speed does not hang on the weights: the PyTorch rows are measured with others, and the report says why.
    checkpoint, said = reference_weights(tiny, None)
    assert checkpoint is None
    assert said.startswith("made up, as the speed does not depend on them; the default model edge is not part of this")
