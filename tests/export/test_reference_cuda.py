"""PyTorch's rows for GPUs: all but the capture on a CPU, everything on a GPU where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ostrack_edge.export import untrained_network
from ostrack_edge.export.reference import ReferenceBackend
from ostrack_edge.export.reference_cuda import CudaBackend, CudaRun
from ostrack_edge.runtime.errors import BackendError, InputError
from ostrack_edge.runtime.manifest import Precision
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry

RUNS = [CudaRun(published=True, device="cpu"), CudaRun(device="cpu")]
ON_GPU = [CudaRun(published=True), CudaRun(), CudaRun(captured=True)]


def check(run: CudaRun, geometry: NetworkGeometry) -> None:
    network = untrained_network(geometry)
    reference = ReferenceBackend(untrained_network(geometry), ColorOrder.BGR)
    backend = CudaBackend(network, ColorOrder.BGR, run)
    random, window, box = np.random.default_rng(0), np.ones((8, 8), np.float32), np.full((2, 4), 0.25, np.float32)
    for _ in range(2):
        template, search = (random.integers(0, 256, (2, n, n, 3), np.uint8) for n in (64, 128))
        expected = reference.search(reference.embed_template(template, box), search, window)
        found = backend.search(backend.embed_template(template, box), search, window)
        np.testing.assert_allclose(found.box, expected.box, atol=1e-4)
        np.testing.assert_allclose(found.score, expected.score, atol=1e-4)
        assert [set(k[0].tolist()) for k in found.kept] == [set(k[0].tolist()) for k in expected.kept]
    assert set(backend.timings_ms) == {"copy", "inference"}
    with pytest.raises(InputError, match="another backend"):
        backend.search("features", np.zeros((2, 128, 128, 3), np.uint8), window)


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_answers_of_the_reference(run: CudaRun, tiny_geometry: NetworkGeometry) -> None:
    check(run, tiny_geometry)


@pytest.mark.parametrize("run", ON_GPU, ids=str)
def test_answers_on_a_gpu(run: CudaRun, tiny_geometry: NetworkGeometry) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    check(run, tiny_geometry)


def test_what_pytorch_does_not_run(tiny_geometry: NetworkGeometry) -> None:
    network = untrained_network(tiny_geometry)
    with pytest.raises(BackendError, match="fp32 and fp16"):
        CudaBackend(network, ColorOrder.BGR, CudaRun(precision=Precision.INT8, device="cpu"))
    if not torch.cuda.is_available():
        with pytest.raises(BackendError, match="sees no GPU here"):
            CudaBackend(network, ColorOrder.BGR, CudaRun())
