from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ostrack_edge.benchmarks.fps import measure as measure_module
from ostrack_edge.benchmarks.fps import rows as rows_module
from ostrack_edge.benchmarks.fps.floor import block_shapes
from ostrack_edge.benchmarks.fps.measure import FpsOptions, Measurement, measure
from ostrack_edge.benchmarks.fps.protocol import Engine, Row
from ostrack_edge.benchmarks.fps.rows import PYTORCH_ROWS, choose_rows
from ostrack_edge.benchmarks.progress import StepProgress
from ostrack_edge.models import default_bundle, default_checkpoint
from ostrack_edge.runtime.backends.select import Choice
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BackendError, BenchmarkError, BundleError, FootageError, InputError
from ostrack_edge.runtime.manifest import MANIFEST_NAME, Precision
from ostrack_edge.runtime.network import NetworkGeometry

BUNDLE_ROW = Row(Engine.BUNDLE, "onnxruntime", Precision.FP32)
COMMAND = [sys.executable, "-c", "from ostrack_edge.benchmarks.cli import main; main()", "fps"]
GPU_ROWS = ["tensorrt", "tensorrt-rtx", "onnxruntime-cuda", "onnxruntime-tensorrt"]
"""Backends that cannot run here, and say so."""
SHORT = ["--rounds", "2", "--frames", "2", "--warmup", "1", "--threads", "1"]


def run_command(tmp_path: Path, environment: dict[str, str], *arguments: str) -> tuple[str, dict[str, Any]]:
    """What `ostrack-bench fps` prints, and its JSON."""
    command = [*COMMAND, *arguments, *SHORT, "--json", str(tmp_path / "report.json")]
    found = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    return found.stdout, json.loads((tmp_path / "report.json").read_text())


def test_a_bundle_beside_is_compared_with_the_measured_one(
    tiny_bundle: Path, tmp_path: Path, without: Callable[..., dict[str, str]]
) -> None:
    other = shutil.copytree(tiny_bundle, tmp_path / "other")
    text, report = run_command(tmp_path, without("torch"), str(tiny_bundle), "--beside", str(other))
    own, beside = report["rows"]
    assert (own["name"], beside["name"]) == ("onnxruntime fp32", f"onnxruntime fp32, {other}")
    assert own["ratio_to_bundle"] is None
    assert own["ratio_to_floor"] > 0
    assert beside["ratio_to_floor"] is None
    pairs = zip(own["round_median_ms"], beside["round_median_ms"], strict=True)
    assert beside["ratio_to_bundle"] == pytest.approx(sum(a / b for a, b in pairs) / 2)
    assert "times as fast as the measured bundle" in text
    assert "each x: median over the rounds of the ratio within a round" in text


def test_every_row_and_a_compiler_that_is_missing(tiny_bundle: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CXX": str(tmp_path / "no-compiler"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
    }
    text, report = run_command(tmp_path, environment, str(tiny_bundle), "--sustained", "0.1")
    rows = {row["name"]: row for row in report["rows"]}
    assert list(rows) == ["pytorch", "pytorch, savings", "onnxruntime fp32"]
    for row in rows.values():
        stages = [stage["stage"] for stage in row["stages"]]
        assert {"crop", "copy", "inference", "whole frame"} <= set(stages)
        whole = row["stages"][-1]
        assert whole["median_ms"] <= whole["p90_ms"] <= whole["p99_ms"]
        assert row["frames_per_second"] == pytest.approx(1000 / whole["median_ms"])
        assert row["frames"] == 4
        assert len(row["round_median_ms"]) == 2
        assert min(row["load_ms"], row["first_box_ms"], row["ratio_to_floor"], row["peak_bytes"]) > 0
        assert row["engine"]["threads"] == "1"
    assert rows["pytorch"]["ratio_to_pytorch"] == 1.0
    missing = {missing["name"]: missing["reason"] for missing in report["missing"]}
    assert list(missing) == [*GPU_ROWS, "pytorch, savings, compiled"]
    assert "C++ compiler" in missing["pytorch, savings, compiled"]
    assert re.search(r"not measured: pytorch, savings, compiled: .*C\+\+ compiler", text)
    assert rows["pytorch"]["sustained"] is None
    assert rows["onnxruntime fp32"]["sustained"]["frames_per_second"]
    assert {lib["library"] for lib in report["floor"]["libraries"]} == {"onnxruntime", "torch", "numpy"}
    assert "made up" in report["reference_weights"]
    assert (report["footage"], report["threads"], report["trained"]) == ("rendered scene", 1, False)
    assert max(map(len, text.splitlines()[5:30])) <= 80


def test_without_torch_and_onnx_the_rest_is_measured(
    tiny_bundle: Path, tmp_path: Path, without: Callable[..., dict[str, str]]
) -> None:
    text, report = run_command(tmp_path, without("torch", "onnx"), str(tiny_bundle))
    assert [row["name"] for row in report["rows"]] == ["onnxruntime fp32"]
    assert report["rows"][0]["ratio_to_pytorch"] is None
    assert report["rows"][0]["ratio_to_floor"] > 0
    assert [lib["library"] for lib in report["floor"]["libraries"]] == ["numpy"]
    assert "not measured: pytorch: the PyTorch reference needs the package 'torch'" in text
    assert "pip install 'ostrack-edge[export]'" in text
    names = [missing["name"] for missing in report["missing"]]
    assert names == [*GPU_ROWS, *(row.name for row in PYTORCH_ROWS), "floor: onnxruntime", "floor: torch"]


def test_nothing_at_all_to_measure_is_an_error(
    tiny_bundle: Path, tmp_path: Path, without: Callable[..., dict[str, str]]
) -> None:
    command = [*COMMAND, str(tiny_bundle), *SHORT, "--json", str(tmp_path / "report.json")]
    environment = without("torch", "onnxruntime")
    found = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr.startswith("error: nothing could be measured: ")
    assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "report.json").exists()


def test_the_bundles_own_checkpoint(
    tiny_bundle: Path, tiny_geometry: NetworkGeometry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ostrack_edge.export import save_network, untrained_network

    monkeypatch.setattr(rows_module, "PYTORCH_ROWS", PYTORCH_ROWS[:1])
    monkeypatch.setattr(measure_module, "LIBRARY_NAMES", ())
    path = tmp_path / "tiny.safetensors"
    save_network(path, untrained_network(tiny_geometry))
    report = measure(FpsOptions(tiny_bundle, checkpoint=path, rounds=1, frames=1, threads=1))
    assert report.reference_weights == str(path)
    assert [row.name for row in report.rows] == ["pytorch", "onnxruntime fp32"]
    assert report.floor is None
    save_network(path, untrained_network(tiny_geometry, seed=1))
    with pytest.raises(BenchmarkError, match=r"pytorch cannot be measured: .*tiny\.safetensors holds other weights"):
        measure(FpsOptions(tiny_bundle, checkpoint=path, rounds=1, frames=1))


def test_the_default_model_brings_its_own_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "PYTORCH_ROWS", PYTORCH_ROWS[:1])
    monkeypatch.setattr(measure_module, "LIBRARY_NAMES", ())
    report = measure(FpsOptions(default_bundle(), rounds=1, frames=1, threads=1))
    assert report.reference_weights == str(default_checkpoint())
    assert report.trained
    assert [row.name for row in report.rows] == ["pytorch", "onnxruntime fp32", "onnxruntime int8"]


def test_a_row_that_stops_is_noted_and_the_others_go_on(tiny_bundle: Path) -> None:
    options = FpsOptions(tiny_bundle, rounds=2, frames=2, warmup=0, threads=1)
    with ExitStack() as stack, StepProgress(9) as progress:
        run = Measurement(options, Bundle.open(tiny_bundle), stack)
        run.load_engine(BUNDLE_ROW)
        run.load_engine(BUNDLE_ROW)
        run.load_library("numpy")
        run.run_round(0, progress)
        os.kill(run.engines[0].worker._process.pid, signal.SIGKILL)
        run.run_round(1, progress)
        assert [len(engine.turns) for engine in run.engines] == [2]
        assert len(run.missing) == 1
        assert run.missing[0].name == "onnxruntime fp32"
        assert "stopped in round 2: its process ended with signal 9" in run.missing[0].reason
        floor = run.floor()
    assert floor is not None
    assert len(floor.round_ms) == 2
    assert len(floor.shapes) == len(block_shapes(run.bundle.manifest.network))


def test_a_backend_that_does_not_load_is_noted_unless_it_was_asked_for(tiny_bundle: Path) -> None:
    row = Row(Engine.BUNDLE, "onnxruntime", Precision.INT8)
    for backends in ((), ("onnxruntime",)):
        with ExitStack() as stack:
            run = Measurement(FpsOptions(tiny_bundle, backends=backends, frames=1), Bundle.open(tiny_bundle), stack)
            if backends:
                with pytest.raises(
                    BenchmarkError, match=r"onnxruntime int8 cannot be measured: .*no template graph in int8"
                ):
                    run.load_engine(row)
            else:
                run.load_engine(row)
                assert [m.name for m in run.missing] == ["onnxruntime int8"]


def test_rows_of_a_bundle(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    rows, missing = choose_rows(bundle, ())
    assert rows == [*PYTORCH_ROWS, BUNDLE_ROW]
    assert [m.name for m in missing] == GPU_ROWS
    assert choose_rows(bundle, (), (Precision.FP32,))[0] == rows
    with pytest.raises(BackendError, match=r"no chosen backend runs .* in fp16 here \(onnxruntime: fp32\)"):
        choose_rows(bundle, (), (Precision.FP16,))
    assert choose_rows(bundle, ("onnxruntime", "onnxruntime"))[0] == [*PYTORCH_ROWS, BUNDLE_ROW]


def test_a_backend_that_cannot_run_here(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ostrack_edge.runtime.backends import select

    monkeypatch.setattr(select, "available", lambda bundle: [Choice("other", False, "no such device")])
    bundle = Bundle.open(tiny_bundle)
    rows, missing = choose_rows(bundle, ())
    assert rows == list(PYTORCH_ROWS)
    assert [(m.name, m.reason) for m in missing] == [("other", "no such device")]
    with pytest.raises(BackendError, match=r"other cannot run .* here: no such device"):
        choose_rows(bundle, ("other",))
    with pytest.raises(BackendError, match="no backend 'abacus'; known are: other"):
        choose_rows(bundle, ("abacus",))


def test_a_bundle_of_four_targets(tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "copy")
    path = tmp_path / "copy" / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"batch": 4}))
    with pytest.raises(BenchmarkError, match=r"takes exactly 4 targets .*--batch 1"):
        measure(FpsOptions(tmp_path / "copy"))


def test_bundle_and_video_must_be_there(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere is no bundle"):
        measure(FpsOptions(tmp_path / "nowhere"))
    with pytest.raises(FootageError, match=r"nowhere\.mp4"):
        measure(FpsOptions(tiny_bundle, video=tmp_path / "nowhere.mp4"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rounds": 0}, "rounds is 0; give at least 1"),
        ({"frames": 0}, "frames is 0; give at least 1"),
        ({"warmup": -1}, "warmup is -1; give at least 0"),
        ({"threads": 0}, "threads is 0; give at least 1"),
        ({"sustained": 0.0}, "sustained is 0 seconds"),
        ({"sustained": float("nan")}, "sustained is nan seconds"),
        ({"sustained": float("inf")}, "sustained is inf seconds"),
    ],
)
def test_options_that_measure_nothing(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        FpsOptions(Path("bundle"), **options)
