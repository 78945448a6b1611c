"""Why an engine of a bundle is not used: one sentence each, with the command that makes the right one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from ostrack_edge.runtime.backends import load_backend, tensorrt, tensorrt_library
from ostrack_edge.runtime.backends.select import available
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BackendError, MissingExtraError
from ostrack_edge.runtime.manifest import (
    MANIFEST_NAME,
    EngineFile,
    Flavour,
    Manifest,
    Precision,
    Recipe,
    read_manifest,
    to_json,
)

from .conftest import FakeMachine, add_engines


def reason(folder: Path, name: str = "tensorrt") -> str:
    """What the choice of engines says, which loading says too."""
    bundle = Bundle.open(folder)
    choice = next(c for c in available(bundle) if c.name == name)
    assert not choice.usable
    with pytest.raises((BackendError, MissingExtraError)) as failed:
        load_backend(bundle, name)
    assert str(failed.value) == choice.reason
    return choice.reason


def change(folder: Path, **fields: object) -> None:
    manifest: Manifest = read_manifest(folder)
    engines: list[EngineFile] = [dataclasses.replace(e, **fields) for e in manifest.engines]  # type: ignore[arg-type]
    changed = dataclasses.replace(manifest, engines=tuple(engines))
    (folder / MANIFEST_NAME).write_text(json.dumps(to_json(changed)))


def test_no_library(engines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_library, "installed", lambda module: False)
    assert "pip install 'ostrack-edge[tensorrt]'" in reason(engines)
    assert "pip install 'ostrack-edge[rtx]'" in reason(engines, "tensorrt-rtx")


def test_no_binding_of_cuda(engines: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    machine.has("tensorrt", "10.3.0")
    monkeypatch.setattr(tensorrt, "installed_bindings", list)
    choice = available(Bundle.open(engines))[0]
    assert "neither cuda-python nor pycuda is installed" in choice.reason
    assert "pip install 'ostrack-edge[cuda]'" in choice.reason


def test_no_gpu(engines: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise BackendError("no NVIDIA GPU is found here")

    monkeypatch.setattr(tensorrt, "find_gpu", none)
    monkeypatch.setattr(tensorrt, "open_cuda", none)
    assert reason(engines) == "no NVIDIA GPU is found here"


def test_a_release_that_is_too_old(engines: Path, machine: FakeMachine) -> None:
    machine.has("tensorrt", "8.6.2.post1")
    assert reason(engines).startswith("TensorRT 8.6.2.post1 is too old")


def test_no_engines_at_all(engines: Path, machine: FakeMachine) -> None:
    change(engines, flavour=Flavour.RTX)
    assert reason(engines) == (
        f"{engines} holds no TensorRT engines; build some with: ostrack-export engines {engines} --target tensorrt"
    )


def test_engines_for_another_gpu(engines: Path, machine: FakeMachine) -> None:
    change(engines, target="sm89")
    assert reason(engines) == (
        f"{engines} has no TensorRT engine for this GPU, Fake GPU (sm86); it has: sm89 fp32 batch 1, sm89 fp16 "
        f"batch 1; build one with: ostrack-export engines {engines} --target tensorrt"
    )


def test_engines_of_another_version(engines: Path, machine: FakeMachine) -> None:
    machine.has("tensorrt", "10.13.2")
    assert "they were built by TensorRT 10.3.0, and 10.13.2 is installed here; build them anew: " in reason(engines)


def test_engines_of_another_graph(engines: Path, machine: FakeMachine) -> None:
    change(engines, graph_sha256="0" * 64)
    assert "the template engine in fp32 was built from another graph than the bundle's" in reason(engines)


def test_half_a_pair(engines: Path, machine: FakeMachine) -> None:
    manifest = read_manifest(engines)
    changed = dataclasses.replace(manifest, engines=manifest.engines[:1])
    (engines / MANIFEST_NAME).write_text(json.dumps(to_json(changed)))
    assert "has only one of the two TensorRT engines" in reason(engines)


def test_rtx_is_told_its_own_command(engines: Path, machine: FakeMachine) -> None:
    machine.has("tensorrt_rtx", "1.7.1")
    assert reason(engines, "tensorrt-rtx").endswith(f"ostrack-export engines {engines} --target rtx:sm86")


def test_a_precision_without_engines(engines: Path, machine: FakeMachine) -> None:
    with pytest.raises(
        BackendError, match=r"no TensorRT engines in int8 for a batch of 1 on this GPU .*--precision int8"
    ):
        load_backend(Bundle.open(engines), "tensorrt", precision=Precision.INT8)
    with pytest.raises(
        BackendError, match=r"in int8 \(attention\) for .*--precision int8 --recipe attention --batch 1"
    ):
        load_backend(Bundle.open(engines), "tensorrt", precision=Precision.INT8, recipe=Recipe.ATTENTION)
    add_engines(engines, batch=4)
    with pytest.raises(BackendError, match=r"take a batch of 1, not 4"):
        load_backend(Bundle.open(engines), "tensorrt", batch=4)


def test_the_cache_of_a_user_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert str(tensorrt_library.cache_folder()) == "/home/somebody/.cache/ostrack-edge/tensorrt-rtx"
