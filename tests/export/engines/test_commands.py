"""`ostrack-export engines` and `inspect --engines` as a user meets them, where nothing but the engine library is
installed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ostrack_edge.runtime.bundle import Bundle

LEAN = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        absent = ("torch", "onnx", "onnxscript", "onnxruntime", "cv2", "cuda", "pycuda", *{more!r})
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from ostrack_edge.export.cli import main
main()
"""


def run(*arguments: object, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LEAN.format(more=without), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_engines_and_inspect_need_the_engine_library_alone(bare: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(bare)
    done = run("engines", folder, "--target", "rtx:sm86", "--batch", "2")
    assert done.returncode == 0, done.stderr
    assert "TensorRT for RTX" in done.stdout
    assert f"ostrack-export inspect {folder} --engines" in done.stdout
    shown = run("inspect", folder, "--engines", without=("tensorrt_rtx", "tensorrt"))
    assert shown.returncode == 0, shown.stderr
    assert "0 of 2" in shown.stdout
    assert "qkv, proj, mlp.fc1, mlp.fc2: FP32" in shown.stdout
    refused = run("inspect", folder, "--engines", "--require-fused", without=("tensorrt_rtx",))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "no engine in FP16 or INT8" in refused.stderr


def test_reports_as_tables_and_json(built: Bundle) -> None:
    shown = run("inspect", built.folder, "--engines", "--require-fused")
    assert shown.returncode == 0, shown.stderr
    assert "2 of 2" in shown.stdout
    assert "search int8 (attention) for rtx:sm86, batch 1" in shown.stdout
    assert "fused, INT8" in shown.stdout
    found = json.loads(run("inspect", built.folder, "--engines", "--json").stdout)
    assert len(found) == len(built.manifest.engines)
    assert {entry["fused"] for entry in found} == {0, 2}


def test_a_bundle_without_engines_says_how_to_build_some(bare: Path) -> None:
    shown = run("inspect", bare, "--engines")
    assert shown.returncode == 0
    assert "holds no engines; build some with: ostrack-export engines" in shown.stdout


def test_a_list_of_layers_that_was_edited_is_refused(built: Bundle, copied: Callable[[Path], Path]) -> None:
    folder = copied(built.folder)
    layers = folder / built.manifest.engines[0].layers
    layers.write_bytes(layers.read_bytes().replace(b"gemm", b"mmeg") + b" ")
    shown = run("inspect", folder, "--engines")
    assert shown.returncode == 1
    assert "its SHA-256 is not the manifest's; build it again with: ostrack-export engines" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("engines", "BUNDLE"), 2, "--target"),
        (("engines", "BUNDLE", "--target", "rtx:sm87"), 1, "not for sm87"),
        (("engines", "BUNDLE", "--target", "cuda"), 1, "'cuda' is no target"),
        (("engines", "BUNDLE", "--target", "rtx:sm86", "--precision", "fp8"), 2, "fp8"),
        (("engines", "BUNDLE", "--target", "rtx:sm86", "--precision", "int8"), 1, "no template graph in int8"),
        (("engines", "BUNDLE", "--target", "rtx:sm86", "--recipe", "cpu"), 1, "linears or attention"),
        (("engines", "BUNDLE", "--target", "rtx:sm86", "--batch", "0"), 1, "the batch is 0"),
        (("engines", "nowhere", "--target", "rtx:sm86"), 1, "nowhere is no bundle"),
        (("inspect", "BUNDLE", "--require-fused"), 1, "give --engines too"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments: tuple[str, ...], code: int, words: str, bare: Path) -> None:
    done = run(*(str(bare) if a == "BUNDLE" else a for a in arguments))
    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_the_engine_library_the_extra_is_named(bare: Path) -> None:
    done = run("engines", bare, "--target", "rtx:sm86", without=("tensorrt_rtx",))
    assert done.returncode == 1
    assert "pip install 'ostrack-edge[rtx]'" in done.stderr
