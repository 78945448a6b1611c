"""The whole way of a frame through engines, on a made-up GPU, and on a real one where there is one."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.runtime.backends import Backend, load_backend
from ostrack_edge.runtime.backends.check import BOUNDS, measure_rounding
from ostrack_edge.runtime.backends.select import available
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BackendError, BundleError, InputError
from ostrack_edge.runtime.manifest import Flavour, Precision
from ostrack_edge.runtime.selftest import read_reference

from ..cuda.fake import FakeDevice
from .conftest import FakeMachine, add_engines, make_machine

BOX = np.array([[0.25, 0.25, 0.5, 0.5]], np.float32)
WINDOW = np.ones((8, 8), np.float32)


def pictures(seed: int, size: int, count: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


def plain(bundle: Path, template: np.ndarray, search: np.ndarray) -> np.ndarray:
    engine = load_backend(Bundle.open(bundle), "onnxruntime")
    return engine.search(engine.embed_template(template, np.repeat(BOX, len(template), 0)), search, WINDOW).box.copy()


def load(bundle: Path, **options: object) -> Backend:
    return load_backend(Bundle.open(bundle), "tensorrt", **options)  # type: ignore[arg-type]


def test_answers_of_the_same_graphs(engines: Path, machine: FakeMachine) -> None:
    engine = load(engines, precision=Precision.FP32)
    for seed in range(3):
        template, search = pictures(seed, 64), pictures(seed + 10, 128)
        found = engine.search(engine.embed_template(template, BOX), search, WINDOW)
        np.testing.assert_allclose(found.box, plain(engines, template, search), atol=1e-6)
        assert [k.shape for k in found.kept] == [(1, 45), (1, 32)]
    assert set(engine.timings_ms) == {"copy", "inference"}
    assert min(engine.timings_ms.values()) > 0
    described = engine.describe()
    assert (described["device"], described["precision"]) == ("Fake GPU (sm86)", "fp32")
    assert described["cuda graph"] == "captured"


def test_every_engine_has_its_runtime_as_long_as_it_lives(engines: Path, machine: FakeMachine) -> None:
    engine = load(engines, selftest=False)
    gc.collect()
    assert sum(runtime.made_engines for runtime in machine.library.runtimes) == 2
    del engine


def test_fp16_comes_first(engines: Path, machine: FakeMachine) -> None:
    assert load(engines).describe()["precision"] == "fp16"
    choice = next(c for c in available(Bundle.open(engines)) if c.name == "tensorrt")
    assert choice.precisions == (Precision.FP16, Precision.FP32)
    engine = load_backend(Bundle.open(engines))
    assert engine.name == "tensorrt"
    found = measure_rounding(engine, read_reference(Bundle.open(engines)))
    assert found.median_box <= BOUNDS[Precision.FP16].median_box


def test_a_frame_is_one_launch_of_a_captured_graph(engines: Path, machine: FakeMachine) -> None:
    engine = load(engines, selftest=False)
    # The warm-up, enqueued piece by piece; what is captured does not run.
    assert machine.device.log == ["in", "in", "run", "out", "out", "out", "out"]
    target = engine.embed_template(pictures(0, 64), BOX)
    machine.device.log.clear()
    graph = ["in", "in", "run", "out", "out", "out", "out", "graph"]
    for frame, expected in enumerate((["within", *graph], graph, graph)):
        engine.search(target, pictures(frame, 128), WINDOW)
        assert machine.device.log == expected
        machine.device.log.clear()


def test_several_targets_at_a_time(engines: Path, machine: FakeMachine) -> None:
    engine = load(engines, precision=Precision.FP32)
    templates, search = [pictures(i, 64) for i in range(3)], pictures(9, 128)
    targets = [engine.embed_template(template, BOX) for template in templates]
    for i in (0, 1, 2, 1, 0, 0, 2):
        found = engine.search(targets[i], search, WINDOW)
        np.testing.assert_allclose(found.box, plain(engines, templates[i], search), atol=1e-6)


def test_a_dropped_target_and_a_dropped_engine_give_everything_back(engines: Path, machine: FakeMachine) -> None:
    engine = load(engines)
    gc.collect()
    before = machine.device.live
    targets = [engine.embed_template(pictures(i, 64), BOX) for i in range(3)]
    assert machine.device.live == before + 3
    engine.search(targets[2], pictures(0, 128), WINDOW)
    del targets
    gc.collect()
    assert machine.device.live == before
    # A new one may lie where the old one lay; its features are its own.
    target = engine.embed_template(pictures(5, 64), BOX)
    engine.search(target, pictures(0, 128), WINDOW)
    del engine
    gc.collect()
    assert machine.device.live == 1
    del target
    gc.collect()
    assert machine.device.live == 0


@pytest.mark.parametrize("refused", ["deserialise", "context", "address", "run"])
def test_an_engine_that_fails_leaves_nothing_behind(engines: Path, machine: FakeMachine, refused: str) -> None:
    machine.library.refuses = {refused}
    with pytest.raises(BackendError, match=r"^TensorRT 10\.3\.0 .*engines/(template|search)\.fp16.*") as failed:
        load(engines)
    if refused == "deserialise":
        assert str(failed.value).endswith("Error Code 1: Serialization (the magic tag does not match)")
    del failed
    gc.collect()
    assert machine.device.live == 0


def test_an_engine_that_cannot_be_captured_runs_piece_by_piece(engines: Path, machine: FakeMachine) -> None:
    machine.library.refuses = {"capture"}
    engine = load(engines, precision=Precision.FP32)
    template, search = pictures(1, 64), pictures(2, 128)
    found = engine.search(engine.embed_template(template, BOX), search, WINDOW)
    np.testing.assert_allclose(found.box, plain(engines, template, search), atol=1e-6)
    assert "graph" not in machine.device.log
    assert engine.describe()["cuda graph"].startswith("none")


def test_nothing_is_copied_where_the_gpu_works_in_the_hosts_memory(
    engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = make_machine(monkeypatch, FakeDevice((8, 7), shares_memory=True))
    add_engines(engines, "sm87")
    engine = load(engines, precision=Precision.FP32)
    template, search = pictures(1, 64), pictures(2, 128)
    found = engine.search(engine.embed_template(template, BOX), search, WINDOW)
    np.testing.assert_allclose(found.box, plain(engines, template, search), atol=1e-6)
    assert set(machine.device.log) == {"run", "within", "graph"}
    assert "not copied" in engine.describe()["memory"]


def test_a_batch_of_an_open_bundle(half_bundle: Callable[..., Path], tmp_path: Path, machine: FakeMachine) -> None:
    folder = shutil.copytree(half_bundle(batch=None), tmp_path / "open")
    add_engines(folder, batch=3)
    with pytest.raises(BackendError, match=r"in fp16 for a batch of 1 on this GPU .*batch 3.*--batch 1"):
        load(folder)
    engine = load(folder, precision=Precision.FP32, batch=3)
    assert engine.batch == 3
    template, search = pictures(1, 64, 3), pictures(2, 128, 3)
    found = engine.search(engine.embed_template(template, np.repeat(BOX, 3, 0)), search, WINDOW)
    np.testing.assert_allclose(found.box, plain(folder, template, search), atol=1e-6)
    with pytest.raises(InputError, match="batch of 3, not 1"):
        engine.embed_template(pictures(1, 64), BOX)
    # Of several that fit, the one for a single target is taken.
    add_engines(folder, batch=1)
    assert load(folder).batch == 1


def test_inputs_of_another_kind(engines: Path, machine: FakeMachine) -> None:
    engine, other = load(engines), load(engines)
    target = engine.embed_template(pictures(0, 64), BOX)
    with pytest.raises(InputError, match="made by another backend"):
        other.search(target, pictures(0, 128), WINDOW)
    with pytest.raises(InputError, match="made by another backend"):
        engine.search({"template_tokens": np.zeros(1)}, pictures(0, 128), WINDOW)
    with pytest.raises(InputError, match=r"search must be uint8 \[B, 128, 128, 3\]"):
        engine.search(target, pictures(0, 64), WINDOW)
    for window in (WINDOW.astype(np.float64), np.ones((4, 4), np.float32)):
        with pytest.raises(InputError, match=r"window must be float32 \[8, 8\]"):
            engine.search(target, pictures(0, 128), window)


def test_an_engine_that_is_not_the_manifests_is_never_deserialised(engines: Path, machine: FakeMachine) -> None:
    path = next((engines / "engines").glob("search.fp16*.1"))
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(BundleError, match=r"its SHA-256 is not the manifest's; build it again with"):
        load(engines)


def test_wrong_answers_are_refused(engines: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that reads red for blue: finite, plausible boxes of another picture."""
    view = machine.device.view
    size = 128 * 128 * 3

    def swapped(address: int, count: int) -> np.ndarray:
        found = view(address, count)
        return found.reshape(-1, 3)[:, ::-1].reshape(-1) if count == size else found

    load(engines)
    monkeypatch.setattr(machine.device, "view", swapped)
    monkeypatch.setattr(machine.device, "copy", _copy_by(view, machine.device))
    with pytest.raises(
        BackendError, match=r"tensorrt in fp16 computes something else .*median difference.*at most 0\.1"
    ):
        load(engines)


def _copy_by(view: Callable[[int, int], np.ndarray], device: FakeDevice) -> Callable[..., None]:
    """The device's copies, which go on seeing memory as it is."""
    copy = type(device).copy

    def call(stream: int, what: str, target: Callable[[], np.ndarray], source: Callable[[], np.ndarray]) -> None:
        def honest(look: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
            def looked() -> np.ndarray:
                swapped, device.view = device.view, view  # type: ignore[method-assign]
                try:
                    return look()
                finally:
                    device.view = swapped  # type: ignore[method-assign]

            return looked

        copy(device, stream, what, honest(target), honest(source))

    return call


def test_rtx_keeps_what_it_compiled_in_the_users_cache(
    engines: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library = machine.has("tensorrt_rtx", "1.7.1")
    add_engines(engines, flavour=Flavour.RTX, version="1.7.1")
    bundle = Bundle.open(engines)
    assert load_backend(bundle, "tensorrt-rtx").describe()["library"] == "tensorrt-rtx 1.7.1"
    kept = list((tmp_path / "cache" / "ostrack-edge" / "tensorrt-rtx").iterdir())
    assert len(kept) == 2
    assert {path.read_bytes() for path in kept} == {b"compiled kernels"}
    assert library.caches == []
    load_backend(bundle, "tensorrt-rtx")
    assert library.caches == [b"compiled kernels"] * 2
    # A place that cannot be written costs time and nothing else.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    load_backend(bundle, "tensorrt-rtx")


def test_engines_of_the_default_bundle_on_a_real_gpu() -> None:
    from ostrack_edge.models import default_bundle

    bundle = Bundle.open(default_bundle())
    names = [c.name for c in available(bundle) if c.usable and c.name.startswith("tensorrt")]
    if not names:
        reasons = "; ".join(c.reason for c in available(bundle) if c.name.startswith("tensorrt"))
        pytest.skip(f"needs a GPU with engines built for it: {reasons}")
    for name in names:
        load_backend(bundle, name)
