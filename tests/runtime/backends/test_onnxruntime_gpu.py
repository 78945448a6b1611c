"""ONNX Runtime's providers for GPUs, over an ONNX Runtime that says it has them and computes on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from ostrack_edge.runtime.backends import load_backend, onnxruntime_gpu
from ostrack_edge.runtime.backends.onnxruntime_gpu import CUDA_NAME, TENSORRT_NAME
from ostrack_edge.runtime.backends.select import available
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.cuda import DeviceInfo
from ostrack_edge.runtime.errors import BackendError, InputError
from ostrack_edge.runtime.manifest import Precision

BOX, WINDOW = np.array([[0.25, 0.25, 0.5, 0.5]], np.float32), np.ones((8, 8), np.float32)


class FakeBinding:
    """Notes where everything was bound, and binds it on the CPU."""

    def __init__(self, binding: Any, places: dict[str, str]) -> None:
        self.__dict__["inner"], self.__dict__["places"] = binding, places
        self.__dict__["_iobinding"] = binding._iobinding

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def bind_output(self, name: str, device: str, number: int) -> None:
        self.places[name] = device
        self.inner.bind_output(name, "cpu", 0)


class FakeOrt(ModuleType):
    """`works`: the providers that can really be used."""

    def __init__(self, *works: str) -> None:
        super().__init__("onnxruntime")
        self.__version__, self.__spec__ = onnxruntime.__version__, onnxruntime.__spec__
        self.works, self.places, self.options = works, {}, {}
        self.SessionOptions = onnxruntime.SessionOptions
        self.OrtValue = SimpleNamespace(ortvalue_from_numpy=self._value)

    def get_available_providers(self) -> list[str]:
        return ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]

    def _value(self, array: np.ndarray, device: str = "cpu", number: int = 0) -> Any:
        if device != "cpu":
            # The device has a copy of its own.
            array = array.copy()
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)

    def InferenceSession(self, path: str, options: Any, providers: list[Any]) -> Any:  # noqa: N802
        asked = [p if isinstance(p, str) else p[0] for p in providers]
        self.options.update(p for p in providers if not isinstance(p, str))
        inner = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return SimpleNamespace(
            get_inputs=inner.get_inputs,
            get_outputs=inner.get_outputs,
            get_session_options=inner.get_session_options,
            run=inner.run,
            run_with_iobinding=inner.run_with_iobinding,
            io_binding=lambda: FakeBinding(inner.io_binding(), self.places),
            get_providers=lambda: [p for p in asked if p in self.works] + ["CPUExecutionProvider"],
        )


@pytest.fixture
def ort(monkeypatch: pytest.MonkeyPatch) -> FakeOrt:
    fake = FakeOrt("TensorrtExecutionProvider", "CUDAExecutionProvider")
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    monkeypatch.setattr(onnxruntime_gpu, "find_gpu", lambda: DeviceInfo("Fake GPU", (8, 9), False))
    return fake


@pytest.mark.parametrize("name", [CUDA_NAME, TENSORRT_NAME])
def test_answers_and_where_the_features_lie(name: str, half_bundle: Callable[..., Path], ort: FakeOrt) -> None:
    bundle = Bundle.open(half_bundle())
    plain = load_backend(bundle, "onnxruntime")
    random = np.random.default_rng(0)
    for precision, tolerance in ((Precision.FP32, 1e-6), (Precision.FP16, 1e-2)):
        engine = load_backend(bundle, name, precision=precision)
        for _ in range(2):
            template, search = (random.integers(0, 256, (1, n, n, 3), np.uint8) for n in (64, 128))
            expected = plain.search(plain.embed_template(template, BOX), search, WINDOW).box.copy()
            features = engine.embed_template(template, BOX)
            np.testing.assert_allclose(engine.search(features, search, WINDOW).box, expected, atol=tolerance)
        assert ort.places == {"template_tokens": "cuda"}
        assert engine.describe()["device"] == "Fake GPU (sm89)"
    with pytest.raises(InputError, match="made by another backend"):
        engine.search({"template_tokens": np.zeros(1)}, np.zeros((1, 128, 128, 3), np.uint8), WINDOW)
    assert ort.options["CUDAExecutionProvider"]["use_tf32"] == "0"
    if name == TENSORRT_NAME:
        assert ort.options["TensorrtExecutionProvider"]["trt_engine_cache_enable"] == "False"


def test_several_targets_at_a_time(half_bundle: Callable[..., Path], ort: FakeOrt) -> None:
    engine = load_backend(Bundle.open(half_bundle()), CUDA_NAME, precision=Precision.FP32)
    random = np.random.default_rng(1)
    search = random.integers(0, 256, (1, 128, 128, 3), np.uint8)
    targets = [engine.embed_template(random.integers(0, 256, (1, 64, 64, 3), np.uint8), BOX) for _ in range(2)]
    first, other = (engine.search(target, search, WINDOW).box.copy() for target in targets)
    assert np.abs(first - other).max() > 1e-4
    np.testing.assert_array_equal(engine.search(targets[0], search, WINDOW).box, first)


def test_another_provider_is_no_substitute(half_bundle: Callable[..., Path], ort: FakeOrt) -> None:
    ort.works = ()
    with pytest.raises(
        BackendError, match=r"cannot use its CUDAExecutionProvider here and would run .* CPUExecutionProv"
    ):
        load_backend(Bundle.open(half_bundle()), CUDA_NAME)
    ort.works = ("CUDAExecutionProvider",)
    with pytest.raises(BackendError, match="cannot use its TensorrtExecutionProvider here"):
        load_backend(Bundle.open(half_bundle()), TENSORRT_NAME)


def test_precisions_that_each_runs(half_bundle: Callable[..., Path], ort: FakeOrt) -> None:
    bundle = Bundle.open(half_bundle())
    found = {c.name: c for c in available(bundle)}
    assert found[CUDA_NAME].precisions == found[TENSORRT_NAME].precisions == (Precision.FP16, Precision.FP32)
    with pytest.raises(BackendError, match="onnxruntime-cuda does not run int8 graphs; take one of fp16, fp32"):
        load_backend(bundle, CUDA_NAME, precision=Precision.INT8)


def test_the_provider_or_the_gpu_is_missing(
    half_bundle: Callable[..., Path], ort: FakeOrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise BackendError("no NVIDIA GPU is found here")

    bundle = Bundle.open(half_bundle())
    monkeypatch.setattr(onnxruntime_gpu, "find_gpu", none)
    reasons = {c.name: c.reason for c in available(bundle)}
    assert reasons[CUDA_NAME] == "no NVIDIA GPU is found here"
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    reasons = {c.name: c.reason for c in available(bundle)}
    assert "was built without CUDAExecutionProvider" in reasons[CUDA_NAME]
    assert "pip install onnxruntime-gpu" in reasons[TENSORRT_NAME]


@pytest.mark.parametrize("name", [CUDA_NAME, TENSORRT_NAME])
def test_the_default_bundle_on_a_real_gpu(name: str) -> None:
    from ostrack_edge.models import default_bundle

    bundle = Bundle.open(default_bundle())
    choice = next(c for c in available(bundle) if c.name == name)
    if not choice.usable:
        pytest.skip(f"needs a GPU and ONNX Runtime for it: {choice.reason}")
    for precision in choice.precisions:
        load_backend(bundle, name, precision=precision)
