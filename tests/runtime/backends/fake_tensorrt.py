"""TensorRT's Python API as far as the backend calls it, for tests: an "engine" is the ONNX file that it was built from,
and computes through ONNX Runtime, in the made-up device's memory, when the stream comes to it."""

from __future__ import annotations

import importlib.machinery
import json
import weakref
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

from ..cuda.fake import FakeDevice

MAGIC = b"FAKE ENGINE"
_TYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
}


def make_engine(onnx_file: bytes) -> bytes:
    return MAGIC + onnx_file


class Severity(Enum):
    INTERNAL_ERROR, ERROR, WARNING = range(3)


class ILogger:
    Severity = Severity

    def log(self, severity: Severity, message: str) -> None:
        raise NotImplementedError


class TensorIOMode(Enum):
    INPUT, OUTPUT = range(2)


class FakeTensorrt(ModuleType):
    """`refuses`: what goes wrong, by name: deserialise, context, address, run, capture."""

    ILogger, TensorIOMode = ILogger, TensorIOMode

    def __init__(self, name: str, version: str, device: FakeDevice) -> None:
        super().__init__(name)
        self.__version__ = version
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)
        self.device = device
        self.refuses: set[str] = set()
        self.caches: list[bytes] = []
        self.runtimes: weakref.WeakSet[FakeRuntime] = weakref.WeakSet()
        self.Runtime = lambda log: FakeRuntime(self, log)

    @staticmethod
    def nptype(dtype: Any) -> Any:
        return dtype

    def engine(self, log: ILogger, data: bytes) -> FakeEngine | None:
        if not self.device.active:
            log.log(Severity.ERROR, "no context is active")
            return None
        if "deserialise" in self.refuses or not data.startswith(MAGIC):
            log.log(Severity.ERROR, "Error Code 1: Serialization (the magic tag\n does not match)")
            return None
        kind = FakeRtxEngine if self.__name__ == "tensorrt_rtx" else FakeEngine
        return kind(self, log, onnxruntime.InferenceSession(data[len(MAGIC) :], providers=["CPUExecutionProvider"]))


class FakeRuntime:
    """The real one must live as long as its engines; `made_engines` of those alive counts who is left without."""

    def __init__(self, trt: FakeTensorrt, log: ILogger) -> None:
        self._trt, self._log = trt, log
        self.made_engines = 0
        trt.runtimes.add(self)

    def deserialize_cuda_engine(self, data: bytes) -> FakeEngine | None:
        self.made_engines += 1
        return self._trt.engine(self._log, data)


class FakeEngine:
    def __init__(self, trt: FakeTensorrt, log: ILogger, session: Any) -> None:
        self.trt, self.log, self.session = trt, log, session
        self.inputs = {v.name: v for v in session.get_inputs()}
        self.values = {v.name: v for v in (*session.get_inputs(), *session.get_outputs())}
        self.num_io_tensors = len(self.values)

    def get_tensor_name(self, i: int) -> str:
        return list(self.values)[i]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(n if isinstance(n, int) else -1 for n in self.values[name].shape)

    def get_tensor_dtype(self, name: str) -> Any:
        return _TYPES[self.values[name].type]

    def create_execution_context(self, config: Any = None) -> FakeContext | None:
        if "context" in self.trt.refuses:
            self.log.log(Severity.ERROR, "out of memory")
            return None
        return FakeContext(self)


class FakeRtxEngine(FakeEngine):
    def create_runtime_config(self) -> Any:
        cache = SimpleNamespace(content=b"")

        def deserialize(data: bytes) -> bool:
            cache.content = data
            self.trt.caches.append(data)
            return True

        cache.deserialize = deserialize
        cache.serialize = lambda: cache.content or b"compiled kernels"
        return SimpleNamespace(create_runtime_cache=lambda: cache, set_runtime_cache=lambda used: used is cache)


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.addresses = engine, {}
        self.batch: int | None = None

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.batch = shape[0]
        return all(n in (-1, m) for n, m in zip(self.engine.get_tensor_shape(name), shape, strict=True))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.batch or -1 if n < 0 else n for n in self.engine.get_tensor_shape(name))

    def set_tensor_address(self, name: str, address: int) -> bool:
        if "address" in self.engine.trt.refuses:
            return False
        self.addresses[name] = address
        return True

    def is_stream_capturable(self, stream: int) -> bool:
        return "capture" not in self.engine.trt.refuses

    def execute_async_v3(self, stream: int) -> bool:
        engine, device = self.engine, self.engine.trt.device
        if "run" in engine.trt.refuses or set(self.addresses) != set(engine.values):
            engine.log.log(Severity.ERROR, f"addresses of {sorted(engine.values.keys() - self.addresses)} are not set")
            return False
        # As they are now: a captured graph keeps them, whatever is set later.
        addresses = dict(self.addresses)

        def view(name: str) -> np.ndarray:
            shape, dtype = self.get_tensor_shape(name), np.dtype(engine.get_tensor_dtype(name))
            raw = device.view(addresses[name], int(np.prod(shape)) * dtype.itemsize)
            return raw.view(dtype).reshape(shape)

        def run() -> None:
            outputs = [name for name in engine.values if name not in engine.inputs]
            found = engine.session.run(outputs, {name: view(name) for name in engine.inputs})
            for name, array in zip(outputs, found, strict=True):
                view(name)[...] = array
            device.log.append("run")

        device.enqueue(stream, run)
        return True


def describe_layers() -> bytes:
    return json.dumps({"layers": []}).encode()
