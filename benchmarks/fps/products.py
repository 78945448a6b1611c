"""Times one library's matrix products at given shapes, inside a worker."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from ...runtime.errors import InputError, MissingExtraError
from .protocol import LoadProducts, ProductsLoaded, ProductTimes, RunProducts, Shape

ONNX_OPSET, ONNX_IR = 17, 8


class ProductTimer:
    """One library, loaded. Raises MissingExtraError where it is absent."""

    def __init__(self, request: LoadProducts) -> None:
        if request.library not in LIBRARIES:
            raise InputError(f"no matrix products are known of {request.library!r}; known: {', '.join(LIBRARIES)}")
        self._shapes = request.shapes
        self._library = LIBRARIES[request.library](request.threads)
        self.loaded = ProductsLoaded(self._library.version)

    def run(self, request: RunProducts) -> ProductTimes:
        """Median milliseconds per shape, over `repeats` products after `warmup` that are not counted."""
        return ProductTimes(tuple(self._median_ms(shape, request) for shape in self._shapes))

    def _median_ms(self, shape: Shape, request: RunProducts) -> float:
        random = np.random.default_rng(0)
        a = random.standard_normal((shape.rows, shape.inner), np.float32)
        b = random.standard_normal((shape.inner, shape.columns), np.float32)
        times = []
        with self._library.product(a, b) as product:
            for i in range(request.warmup + request.repeats):
                start = perf_counter()
                product()
                if i >= request.warmup:
                    times.append((perf_counter() - start) * 1e3)
        return statistics.median(times)


class NumpyProducts:
    """NumPy's own BLAS; its threads are set by the environment before the process starts."""

    def __init__(self, threads: int) -> None:
        self.version = np.__version__

    @contextmanager
    def product(self, a: np.ndarray, b: np.ndarray) -> Iterator[Callable[[], object]]:
        out = np.empty((len(a), b.shape[1]), np.float32)
        yield lambda: np.matmul(a, b, out=out)


class TorchProducts:
    """PyTorch, with the second matrix laid out as a Linear's weight."""

    def __init__(self, threads: int) -> None:
        try:
            import torch
        except ImportError:
            raise MissingExtraError("torch", "PyTorch's matrix product", "export") from None
        self._torch = torch
        torch.set_num_threads(threads)
        self.version = torch.__version__

    @contextmanager
    def product(self, a: np.ndarray, b: np.ndarray) -> Iterator[Callable[[], object]]:
        torch = self._torch
        left, right = torch.from_numpy(a), torch.from_numpy(np.ascontiguousarray(b.T)).t()
        out = torch.empty(len(a), b.shape[1])
        with torch.inference_mode():
            yield lambda: torch.mm(left, right, out=out)


class OnnxRuntimeProducts:
    """ONNX Runtime, with the second matrix constant, as it is in a network, so that it may lay it out for itself.

    A session lives only while its shape is measured: the threads of two in one process take each other's cores.
    """

    def __init__(self, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtraError("onnxruntime", "ONNX Runtime's matrix product", "cpu") from None
        try:
            import onnx  # noqa: F401
        except ImportError:
            raise MissingExtraError("onnx", "ONNX Runtime's matrix product", "export") from None
        self._ort = onnxruntime
        self._threads = threads
        self.version = onnxruntime.__version__

    @contextmanager
    def product(self, a: np.ndarray, b: np.ndarray) -> Iterator[Callable[[], object]]:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        session = self._ort.InferenceSession(product_model(len(a), b), options, providers=["CPUExecutionProvider"])
        out = np.empty((len(a), b.shape[1]), np.float32)
        binding = session.io_binding()
        binding.bind_ortvalue_input("a", self._ort.OrtValue.ortvalue_from_numpy(a))
        binding.bind_ortvalue_output("c", self._ort.OrtValue.ortvalue_from_numpy(out))
        yield lambda: session.run_with_iobinding(binding)


def product_model(rows: int, b: np.ndarray) -> bytes:
    """An ONNX model of one MatMul: a, float32 [rows, inner], times the constant b, float32 [inner, columns]."""
    from onnx import TensorProto, helper, numpy_helper

    inner, columns = b.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [rows, inner])],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [rows, columns])],
        [numpy_helper.from_array(b, "b")],
    )
    opset = [helper.make_opsetid("", ONNX_OPSET)]
    return helper.make_model(graph, opset_imports=opset, ir_version=ONNX_IR).SerializeToString()


LIBRARIES = {"onnxruntime": OnnxRuntimeProducts, "torch": TorchProducts, "numpy": NumpyProducts}
