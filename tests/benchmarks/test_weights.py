"""Which checkpoint the PyTorch rows take where none is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.weights import checkpoint_of
from ostrack_edge.models import default, default_bundle, default_checkpoint
from ostrack_edge.runtime.bundle import Bundle


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
