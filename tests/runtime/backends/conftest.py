"""Bundles with made-up engines, and a machine with a made-up GPU and engine library."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ostrack_edge.export import build_bundle, untrained_network
from ostrack_edge.export.precision.plan import PrecisionPlan
from ostrack_edge.runtime.backends import tensorrt
from ostrack_edge.runtime.manifest import MANIFEST_NAME, EngineFile, Flavour, Precision, read_manifest, to_json
from ostrack_edge.runtime.network import NetworkGeometry

from ..cuda.fake import FakeCuda, FakeDevice
from .fake_tensorrt import FakeTensorrt, describe_layers, make_engine

VERSION = "10.3.0"


@pytest.fixture(scope="session")
def half_bundle(tiny_geometry: NetworkGeometry, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds the tiny bundle in FP32 and FP16, once for each set of options."""
    built: dict[tuple, Path] = {}

    def build(**options: object) -> Path:
        key = tuple(sorted(options.items()))
        if key not in built:
            built[key] = tmp_path_factory.mktemp("half") / "bundle"
            plan = PrecisionPlan(frozenset({Precision.FP32, Precision.FP16}))
            network = untrained_network(tiny_geometry)
            build_bundle(network, built[key], source="made up", trained=False, plan=plan, **options)  # type: ignore[arg-type]
        return built[key]

    return build


def add_engines(
    folder: Path, target: str = "sm86", flavour: Flavour = Flavour.TENSORRT, version: str = VERSION, batch: int = 1
) -> None:
    """Put an engine of every graph beside it, as a build would."""
    manifest = read_manifest(folder)
    (folder / "engines").mkdir(exist_ok=True)
    engines = []
    for graph in manifest.graphs:
        data, layers = make_engine((folder / graph.path).read_bytes()), describe_layers()
        name = f"engines/{graph.role}.{graph.precision}.{flavour}.{target}.{batch}"
        (folder / name).write_bytes(data)
        (folder / f"{name}.layers.json").write_bytes(layers)
        engines.append(
            EngineFile(
                graph.role,
                graph.precision,
                graph.recipe,
                flavour,
                version,
                target,
                batch,
                graph.sha256,
                name,
                hashlib.sha256(data).hexdigest(),
                len(data),
                f"{name}.layers.json",
                hashlib.sha256(layers).hexdigest(),
                len(layers),
            )
        )
    changed = dataclasses.replace(manifest, engines=(*manifest.engines, *engines))
    (folder / MANIFEST_NAME).write_text(json.dumps(to_json(changed)))


@dataclass
class FakeMachine:
    device: FakeDevice
    cuda: FakeCuda
    library: FakeTensorrt
    monkeypatch: pytest.MonkeyPatch

    def has(self, name: str, version: str) -> FakeTensorrt:
        """Install an engine library."""
        self.library = FakeTensorrt(name, version, self.device)
        self.monkeypatch.setitem(sys.modules, name, self.library)
        return self.library


def make_machine(monkeypatch: pytest.MonkeyPatch, device: FakeDevice) -> FakeMachine:
    machine = FakeMachine(device, FakeCuda(device), FakeTensorrt("tensorrt", VERSION, device), monkeypatch)
    machine.has("tensorrt", VERSION)
    monkeypatch.setattr(tensorrt, "installed_bindings", lambda: ["fake"])
    monkeypatch.setattr(tensorrt, "find_gpu", lambda: device.info)
    monkeypatch.setattr(tensorrt, "open_cuda", lambda: machine.cuda)
    return machine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A machine with TensorRT 10.3 and a GPU of compute capability 8.6 with memory of its own."""
    return make_machine(monkeypatch, FakeDevice())


@pytest.fixture
def engines(half_bundle: Callable[..., Path], tmp_path: Path) -> Path:
    """The tiny bundle with engines for that GPU, to be damaged."""
    folder = shutil.copytree(half_bundle(), tmp_path / "engines")
    add_engines(folder)
    return folder
