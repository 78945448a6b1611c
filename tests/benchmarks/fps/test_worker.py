from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.fps.clip import make_clip
from ostrack_edge.benchmarks.fps.process import WorkerError, WorkerProcess
from ostrack_edge.benchmarks.fps.products import LIBRARIES, product_model
from ostrack_edge.benchmarks.fps.protocol import (
    Clip,
    Engine,
    Loaded,
    LoadProducts,
    LoadRow,
    ProductsLoaded,
    ProductTimes,
    Row,
    RunProducts,
    RunSustained,
    RunTurn,
    Shape,
    SustainedTurn,
    Turn,
)
from ostrack_edge.benchmarks.fps.worker import Worker, parse
from ostrack_edge.runtime.errors import BenchmarkError
from ostrack_edge.runtime.manifest import Precision, to_json

BUNDLE_ROW = Row(Engine.BUNDLE, "onnxruntime", Precision.FP32)
SHAPES = (Shape(5, 8, 4, 1), Shape(3, 4, 6, 2))

NOISE = """
import builtins, os

importing = builtins.__import__


def noisy(name, *args, **kwargs):
    if name in ("cv2", "onnxruntime"):
        os.write(1, b"hello from C\\n")
        print('{"reply": "from a library"}')
    return importing(name, *args, **kwargs)


builtins.__import__ = noisy
"""


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return make_clip(None, 3, tmp_path)


def request(bundle: Path, clip: Clip, row: Row = BUNDLE_ROW) -> LoadRow:
    return LoadRow(row, str(bundle), None, clip, threads=1)


def test_a_turn_of_a_bundle(tiny_bundle: Path, clip: Clip, tmp_path: Path) -> None:
    with WorkerProcess(tmp_path, 1) as worker:
        loaded = worker.ask(request(tiny_bundle, clip), Loaded)
        assert loaded.load_ms > 0
        assert loaded.first_box_ms > 0
        assert loaded.engine["precision"] == "fp32"
        turn = worker.ask(RunTurn(warmup=1, frames=5), Turn)
        again = worker.ask(RunTurn(warmup=0, frames=2), Turn)
    assert len(turn.whole_ms) == 5
    assert {"crop", "copy", "inference"} <= set(turn.stages_ms)
    for i, whole in enumerate(turn.whole_ms):
        assert 0 < sum(ms[i] for ms in turn.stages_ms.values()) <= whole
    assert len(again.whole_ms) == 2
    assert again.peak_bytes >= turn.peak_bytes > 1 << 24


def test_a_sustained_run(tiny_bundle: Path, clip: Clip, tmp_path: Path) -> None:
    with WorkerProcess(tmp_path, 1) as worker:
        worker.ask(request(tiny_bundle, clip), Loaded)
        run = worker.ask(RunSustained(0.2), SustainedTurn)
    assert len(run.frames_per_second) == 1
    assert run.frames_per_second[0] > 0


def test_what_libraries_print_is_not_a_reply(
    tiny_bundle: Path, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOISE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with WorkerProcess(tmp_path, 1) as worker:
        assert worker.ask(request(tiny_bundle, clip), Loaded).engine
        assert len(worker.ask(RunTurn(0, 1), Turn).whole_ms) == 1
        worker._stderr.seek(0)
        assert b"hello from C" in worker._stderr.read()


def test_an_error_is_a_sentence_and_the_worker_lives_on(tmp_path: Path, clip: Clip, tiny_bundle: Path) -> None:
    with WorkerProcess(tmp_path, 1) as worker:
        with pytest.raises(WorkerError, match=r"nowhere is no bundle") as caught:
            worker.ask(request(tmp_path / "nowhere", clip), Loaded)
        assert caught.value.kind == "BundleError"
        with pytest.raises(WorkerError, match="before anything was loaded"):
            worker.ask(RunTurn(0, 1), Turn)
        worker.ask(request(tiny_bundle, clip), Loaded)
        with pytest.raises(WorkerError, match="loaded its engine already"):
            worker.ask(LoadProducts("numpy", SHAPES, 1), ProductsLoaded)


def test_a_worker_that_dies_says_how(tmp_path: Path) -> None:
    with WorkerProcess(tmp_path, 1) as worker:
        os.kill(worker._process.pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match="signal 9, as when memory runs out"):
            worker.ask(RunTurn(0, 1), Turn)


def test_ctrl_c_is_the_parents_business(tmp_path: Path) -> None:
    with WorkerProcess(tmp_path, 1) as worker:
        worker.ask(LoadProducts("numpy", SHAPES, 1), ProductsLoaded)
        os.kill(worker._process.pid, signal.SIGINT)
        assert len(worker.ask(RunProducts(0, 1), ProductTimes).ms) == 2
    assert worker._process.returncode == -signal.SIGKILL


def test_without_torch_the_reference_says_what_to_install(
    tiny_bundle: Path,
    clip: Clip,
    tmp_path: Path,
    without: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", without("torch")["PYTHONPATH"])
    with (
        WorkerProcess(tmp_path, 1) as worker,
        pytest.raises(WorkerError, match=r"the PyTorch reference needs .*'torch'.*pip install") as caught,
    ):
        worker.ask(request(tiny_bundle, clip, Row(Engine.REFERENCE)), Loaded)
    assert caught.value.kind == "MissingExtraError"


def test_bundle_and_pytorch_never_share_a_process(tiny_bundle: Path, clip: Clip, tmp_path: Path) -> None:
    script = """
import json, sys
from ostrack_edge.benchmarks.fps.protocol import LoadRow
from ostrack_edge.benchmarks.fps.timing import RowTimer
from ostrack_edge.runtime.manifest import from_json
RowTimer(from_json(LoadRow, json.loads(sys.argv[1])))
print("torch" in sys.modules)
"""
    body = json.dumps(to_json(request(tiny_bundle, clip)))
    found = subprocess.run(
        [sys.executable, "-c", script, body], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("library", list(LIBRARIES))
def test_products_of_every_library(library: str, tmp_path: Path) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    with WorkerProcess(tmp_path, 1) as worker:
        assert worker.ask(LoadProducts(library, SHAPES, 1), ProductsLoaded).version
        times = worker.ask(RunProducts(warmup=1, repeats=3), ProductTimes)
    assert len(times.ms) == 2
    assert min(times.ms) > 0


@pytest.mark.parametrize("library", ["numpy", "torch", "onnxruntime"])
def test_products_are_the_products(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    random = np.random.default_rng(0)
    a, b = random.standard_normal((5, 8), np.float32), random.standard_normal((8, 4), np.float32)
    if library == "onnxruntime":
        ort = pytest.importorskip("onnxruntime")
        session = ort.InferenceSession(product_model(5, b), providers=["CPUExecutionProvider"])
        found = session.run(None, {"a": a})[0]
    else:
        with LIBRARIES[library](1).product(a, b) as product:
            found = np.asarray(product())
    assert np.allclose(found, a @ b, atol=1e-5)


def test_a_library_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="loaded"):
        Worker(print).answer(RunTurn(0, 1))
    with WorkerProcess(tmp_path, 1) as worker, pytest.raises(WorkerError, match="'abacus'; known: onnxruntime"):
        worker.ask(LoadProducts("abacus", SHAPES, 1), ProductsLoaded)


@pytest.mark.parametrize("line", ["", "hello", "[]", "{}", '{"request": "Quit", "body": {}}', '{"request": "RunTurn"}'])
def test_lines_that_are_no_request(line: str) -> None:
    with pytest.raises(BenchmarkError, match="not a request"):
        parse(line)
