"""The rows of `ostrack-bench gpu`: every one says why without a GPU; with a made-up one, engines are really run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ostrack_edge.benchmarks.fps.process import WorkerError
from ostrack_edge.benchmarks.fps.worker import Worker, parse
from ostrack_edge.benchmarks.gpu import rows as rows_module
from ostrack_edge.benchmarks.gpu.protocol import GpuEngine
from ostrack_edge.benchmarks.gpu.rows import FORMS, all_rows
from ostrack_edge.benchmarks.gpu.run import GpuOptions, measure_gpu
from ostrack_edge.benchmarks.gpu.table import print_gpu
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.cuda import find_gpu
from ostrack_edge.runtime.errors import BackendError, InputError, OSTrackEdgeError
from ostrack_edge.runtime.manifest import Precision, from_json, to_json
from rich.console import Console

from ...runtime.backends.conftest import FakeMachine, add_engines, half_bundle, machine

__all__ = ["half_bundle", "machine"]

COMMAND = [sys.executable, "-c", "from ostrack_edge.benchmarks.cli import main; main()", "gpu"]


class InProcess:
    """A worker without a process, so that it sees the test's machine; what is said goes over the wire all the same."""

    def ask(self, request: Any, kind: Any, tick: Callable[[int], None] = lambda done: None) -> Any:
        line = json.dumps({"request": type(request).__name__, "body": to_json(request)})
        try:
            reply = Worker(lambda message: None).answer(parse(line))
        except OSTrackEdgeError as error:
            raise WorkerError(str(error), type(error).__name__) from None
        return from_json(kind, json.loads(json.dumps(to_json(reply))), "reply")


@contextmanager
def in_process(folder: Path) -> Iterator[InProcess]:
    yield InProcess()


def test_without_a_gpu_every_row_says_why(tiny_bundle: Path, tmp_path: Path) -> None:
    try:
        gpu = find_gpu()
    except BackendError:
        gpu = None
    if gpu is not None:
        pytest.skip("there is a GPU here")
    command = [*COMMAND, str(tiny_bundle), "--frames", "2", "--json", str(tmp_path / "gpu.json")]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["gpu"] is None
    assert report["rows"] == []
    assert [m["name"] for m in report["missing"]] == [row.name for row in all_rows((1, 8, 32))]
    assert all(m["reason"] for m in report["missing"])
    assert "not measured: " in found.stdout


def test_every_engine_precision_and_batch_is_a_row() -> None:
    rows = all_rows((1, 8))
    assert len(rows) == len({row.name for row in rows}) == 2 * sum(map(len, FORMS.values()))
    assert set(FORMS) == set(GpuEngine)
    assert all(forms[0][0] is Precision.FP32 for forms in FORMS.values())


def test_engines_on_a_made_up_gpu(
    half_bundle: Callable[..., Path], tmp_path: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(half_bundle(batch=None), tmp_path / "open")
    add_engines(folder, batch=1)
    add_engines(folder, batch=3)
    monkeypatch.setattr(rows_module, "find_gpu", lambda: machine.device.info)
    monkeypatch.setattr(rows_module, "installed", lambda package: False)
    run = measure_gpu(GpuOptions(folder, batches=(1, 3, 5), warmup=1, frames=4), in_process)
    names = ["tensorrt fp32, batch 1", "tensorrt fp16, batch 1", "tensorrt fp32, batch 3", "tensorrt fp16, batch 3"]
    assert [row.name for row in run.rows] == names
    for row in run.rows:
        assert [stage.stage for stage in row.stages] == ["crop", "copy", "inference", "decode", "whole frame"]
        assert row.frames == 4
        assert row.targets_per_second == pytest.approx(row.row.batch * 1e3 / row.whole.median_ms)
        assert row.against_stored is not None
    assert [row.against_fp32 is None for row in run.rows] == [True, False, True, False]
    three = run.rows[3].against_fp32
    assert three is not None
    assert (three.reference, three.boxes) == ("tensorrt fp32, batch 3", 12)
    assert three.mean_iou > 0.9
    reasons = {missing.name: missing.reason for missing in run.missing}
    assert "for a batch of 5 on this GPU" in reasons["tensorrt fp16, batch 5"]
    assert "has no graphs in int8 (linears)" in reasons["tensorrt int8 (linears), batch 1"]
    assert "pip install 'ostrack-edge[export]'" in reasons["pytorch eager fp32, batch 1"]
    assert {row.name for row in run.rows} | set(reasons) == {row.name for row in all_rows((1, 3, 5))}
    out = StringIO()
    print_gpu(run, Console(file=out, width=120))
    assert "tensorrt fp16, batch 3" in out.getvalue()
    json.dumps(to_json(run), allow_nan=False)


def test_a_row_that_answers_wrong_is_not_measured(
    half_bundle: Callable[..., Path], tmp_path: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(half_bundle(), tmp_path / "wrong")
    add_engines(folder)
    view = machine.device.view

    def broken(address: int, count: int) -> np.ndarray:
        found = view(address, count)
        if count == 16:  # the box
            found[:] = 0
        return found

    monkeypatch.setattr(machine.device, "view", broken)
    run = measure_gpu(GpuOptions(folder, batches=(1,), warmup=0, frames=1), in_process)
    assert run.rows == ()
    reasons = {missing.name: missing.reason for missing in run.missing}
    assert "computes something else than the network" in reasons["tensorrt fp16, batch 1"]


def test_a_bundle_for_one_target_has_no_larger_batches(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    obstacles = rows_module.Obstacles(Bundle.open(tiny_bundle))
    row = next(r for r in all_rows((8,)) if r.engine is GpuEngine.TENSORRT)
    choice = obstacles._choices["tensorrt"]
    obstacles._choices["tensorrt"] = choice._replace(usable=True)
    assert "build one for every batch with: ostrack-export build --batch any" in str(obstacles.of(row))


def test_options_that_measure_nothing() -> None:
    for options, sentence in (
        ({"batches": (0,)}, "batch is 0"),
        ({"frames": 0}, "frames is 0"),
        ({"warmup": -1}, "-1"),
    ):
        with pytest.raises(InputError, match=sentence):
            GpuOptions(Path("bundle"), **options)  # type: ignore[arg-type]


def test_all_rows_on_a_real_gpu(tmp_path: Path) -> None:
    from ostrack_edge.models import default_bundle

    try:
        find_gpu()
    except BackendError as error:
        pytest.skip(f"needs an NVIDIA GPU: {error}")
    run = measure_gpu(GpuOptions(default_bundle(), batches=(1,), warmup=2, frames=5))
    assert run.gpu is not None
    assert run.rows or run.missing
