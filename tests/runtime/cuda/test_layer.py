"""One contract for every binding: each runs over the made-up device, and the real ones on a GPU where there is one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np
import pytest
from ostrack_edge.runtime.cuda import BINDINGS, Cuda, DeviceBuffer, find_gpu, installed_bindings, open_cuda
from ostrack_edge.runtime.cuda import find as find_module
from ostrack_edge.runtime.cuda.cuda_python import CudaPython
from ostrack_edge.runtime.cuda.driver import Driver
from ostrack_edge.runtime.cuda.pycuda import PyCuda
from ostrack_edge.runtime.errors import BackendError

from .bindings import FakeLibcuda, FakePycuda, FakeRuntime
from .fake import FakeCuda, FakeDevice

KINDS = ("fake", "cuda-python", "pycuda")


def over(kind: str, device: FakeDevice) -> Cuda:
    if kind == "cuda-python":
        return CudaPython(FakeRuntime(device))
    if kind == "pycuda":
        return PyCuda(FakePycuda(device), Driver(FakeLibcuda(device)))
    return FakeCuda(device)


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice((8, 7), shares_memory=True)


@pytest.fixture(params=[*KINDS, *(f"{name} on a GPU" for name in BINDINGS)])
def cuda(request: pytest.FixtureRequest, device: FakeDevice) -> Iterator[Cuda]:
    name = request.param.removesuffix(" on a GPU")
    if name == request.param:
        layer = over(name, device)
        yield layer
        assert device.live == 0, "something was not given back"
        return
    try:
        find_gpu()
    except BackendError as error:
        pytest.skip(f"needs an NVIDIA GPU: {error}")
    if name not in installed_bindings():
        pytest.skip(f"needs {name} beside the GPU")
    yield open_cuda(name)


def test_copies_in_capture_and_replay(cuda: Cuda) -> None:
    with cuda.active():
        stream, first, last = cuda.stream(), cuda.event(), cuda.event()
        source, target = cuda.alloc_host(64), cuda.alloc_host(64)
        one, other = cuda.alloc(64), cuda.alloc(64)

        def work() -> None:
            cuda.record(first, stream)
            cuda.copy_in(one, source, stream)
            cuda.copy_within(other, one, stream)
            cuda.copy_out(target, other, stream)
            cuda.record(last, stream)

        source.array[:] = 3
        work()
        cuda.synchronize(stream)
        assert (target.array == 3).all()
        graph = cuda.capture(stream, work)
        for value in (4, 5):
            source.array[:] = value
            cuda.launch(graph, stream)
            cuda.synchronize(stream)
            assert (target.array == value).all()
            assert cuda.elapsed_ms(first, last) >= 0
        cuda.free(source, target, one, other)
        cuda.close(stream, (first, last), graph)


def test_what_fails_in_a_capture_leaves_the_stream_usable(cuda: Cuda) -> None:
    with cuda.active():
        stream, source, target, buffer = cuda.stream(), cuda.alloc_host(8), cuda.alloc_host(8), cuda.alloc(8)

        def broken() -> None:
            cuda.copy_in(buffer, source, stream)
            raise BackendError("the engine refused")

        with pytest.raises(BackendError, match="the engine refused"):
            cuda.capture(stream, broken)
        source.array[:] = np.arange(8)
        cuda.copy_in(buffer, source, stream)
        cuda.copy_out(target, buffer, stream)
        cuda.synchronize(stream)
        assert target.array.tolist() == list(range(8))
        cuda.free(source, target, buffer)
        cuda.close(stream, (), None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_device_and_its_memory(kind: str, device: FakeDevice) -> None:
    cuda = over(kind, device)
    assert (cuda.device.name, cuda.device.capability, cuda.device.shares_memory) == ("Fake GPU", (8, 7), True)
    assert cuda.device.target == "sm87"
    with cuda.active():
        host = cuda.alloc_host(16, mapped=True)
        assert host.device_address is not None
        host.array[:] = 9
        assert (device.view(host.device_address, 16) == 9).all()
        cuda.free(host)
        with pytest.raises(BackendError, match="not allocated"):
            cuda.free(host)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_that_was_given_back(kind: str, device: FakeDevice) -> None:
    cuda = over(kind, device)
    with cuda.active():
        stream, host, buffer = cuda.stream(), cuda.alloc_host(8), cuda.alloc(8)
        cuda.copy_in(buffer, host, stream)
        cuda.free(buffer)
        with pytest.raises(BackendError, match="illegal memory access"):
            cuda.synchronize(stream)
        with pytest.raises(BackendError, match="illegal memory access"):
            cuda.copy_in(buffer, host, stream)


def test_pycuda_leaves_no_context_behind(device: FakeDevice) -> None:
    cuda = over("pycuda", device)
    with cuda.active():
        assert device.active == 1
    with pytest.raises(BackendError), cuda.active():
        cuda.copy_in(DeviceBuffer(1, 8), cuda.alloc_host(8), cuda.stream())
    assert device.active == 0


def test_a_failure_says_what_failed(device: FakeDevice) -> None:
    bindings = FakeRuntime(device)
    cuda = CudaPython(bindings)
    bindings.broken = "cudaMalloc"
    with pytest.raises(BackendError, match=r"CUDA: cudaMalloc failed: out of memory \(2\)"):
        cuda.alloc(8)


def test_every_name_that_is_called_exists_in_nvidias_module(device: FakeDevice) -> None:
    bindings = pytest.importorskip("cuda.bindings.runtime", reason="needs cuda-bindings, of the extra cuda")
    fake = FakeRuntime(device)
    for name in (*fake._functions, "cudaGetErrorString", *(n for n in vars(FakeRuntime) if n.startswith("cuda"))):
        assert hasattr(bindings, name), name
    for group in ("cudaStreamCaptureMode", "cudaMemcpyKind", "cudaDeviceAttr", "cudaError_t"):
        for member, value in vars(getattr(fake, group)).items():
            assert int(getattr(getattr(bindings, group), member)) == value, member
    for name in ("cudaHostAllocDefault", "cudaHostAllocMapped", "cudaStreamNonBlocking", "cudaEventRecordExternal"):
        assert getattr(bindings, name) == getattr(fake, name)
    # What the documentation string says of a function's arguments, beside how many ours are.
    for name, arguments in (("cudaMemcpyAsync", 5), ("cudaHostAlloc", 2), ("cudaGraphInstantiate", 2)):
        assert inspect.getdoc(getattr(bindings, name)).split("\n")[0].count(",") + 1 == arguments  # type: ignore[union-attr]


def test_no_gpu_and_no_driver(device: FakeDevice) -> None:
    with pytest.raises(BackendError, match="no NVIDIA GPU is found"):
        Driver(FakeLibcuda(device, devices=0)).device()
    assert Driver(FakeLibcuda(device)).device() == device.info

    class Old:
        def cuGetErrorString(self, code: int, text: object) -> int:  # noqa: N802
            return 0

    with pytest.raises(BackendError, match=r"too old: it has no cuInit"):
        Driver(Old())


def test_which_binding_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="no binding of CUDA called 'abacus'; known are: auto, cuda-python, pycuda"):
        open_cuda("abacus")
    opened: list[str] = []

    def opener(name: str) -> object:
        return lambda: opened.append(name)

    monkeypatch.setattr(find_module, "BINDINGS", {name: opener(name) for name in BINDINGS})
    monkeypatch.setattr(find_module, "installed", lambda module: module == "pycuda")
    open_cuda()
    assert opened == ["pycuda"]
    with pytest.raises(BackendError, match="cuda-python is not installed here; add it with: pip install cuda-python"):
        open_cuda("cuda-python")
    monkeypatch.setattr(find_module, "installed", lambda module: True)
    open_cuda()
    open_cuda("pycuda")
    assert opened == ["pycuda", "cuda-python", "pycuda"]
    monkeypatch.setattr(find_module, "installed", lambda module: False)
    with pytest.raises(
        BackendError, match=r"neither cuda-python nor pycuda is installed.*pip install 'ostrack-edge\[cuda\]'"
    ):
        open_cuda()
