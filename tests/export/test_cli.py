"""`ostrack-export` as a user meets it: what it prints, where it stops, and with which code."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ostrack_edge.export import untrained_network
from ostrack_edge.models import default_bundle, default_card
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.network import NetworkGeometry

THIN = NetworkGeometry("ostrack-256", 128, 256, 2.0, 4.0, 64, 4, 1, 256, 16, (1, 2, 3), (0.7, 0.7, 0.7))
MAIN = "from ostrack_edge.export.cli import main; main()"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "OSTrack_ep0300.pth.tar"
    torch.save({"epoch": 300, "net": untrained_network(THIN).state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def bundle(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "deep" / "bundle"
    done = run(
        "build", "--checkpoint", checkpoint, "--variant", "ostrack-256", "--out", folder, "--keep-ratio", "0.5,0.6,0.7"
    )
    assert done.returncode == 0, done.stderr
    assert "256 -> 128 after block 1 -> 77 after block 2 -> 54 after block 3" in done.stdout
    assert "kept tokens equal on 8" in done.stdout
    return folder


def test_inspect_and_verify(bundle: Path, checkpoint: Path) -> None:
    shown = run("inspect", bundle)
    assert shown.returncode == 0
    assert "OSTrack_ep0300.pth.tar" in shown.stdout
    manifest = json.loads(run("inspect", bundle, "--json").stdout)
    assert manifest["network"]["keep_ratios"] == [0.5, 0.6, 0.7]
    stored = run("verify", bundle)
    assert stored.returncode == 0, stored.stderr
    assert "agrees with the PyTorch answers stored in it" in stored.stdout
    live = run("verify", bundle, "--checkpoint", checkpoint)
    assert live.returncode == 0, live.stderr
    assert f"agrees with {checkpoint}" in live.stdout.replace("\n", "")


def test_another_checkpoint_does_not_verify(bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pth.tar"
    torch.save({"net": untrained_network(THIN, seed=9).state_dict()}, other)
    done = run("verify", bundle, "--checkpoint", other)
    assert done.returncode == 1
    assert "holds other weights" in done.stderr


def test_verify_works_on_a_device_without_torch_and_onnx(bundle: Path) -> None:
    script = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'onnx', 'onnxscript'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n" + MAIN
    )
    arguments = [sys.executable, "-c", script]
    done = subprocess.run([*arguments, "verify", str(bundle)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "maps not compared" in done.stdout
    build = [*arguments, "build", "--untrained", "--out", str(bundle.parent / "x")]
    refused = subprocess.run(build, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "pip install 'ostrack-edge[export]'" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("build",), 2, "--out"),
        (("build", "--out", "B", "--variant", "ostrack-256"), 1, "--variant ostrack-256 needs --checkpoint FILE"),
        (("build", "--untrained", "--checkpoint", "C", "--out", "B"), 1, "either --checkpoint FILE, or --untrained"),
        (("build", "--checkpoint", "nowhere.pth", "--out", "B"), 1, "nowhere.pth"),
        (("build", "--untrained", "--out", "B", "--keep-ratio", "0"), 2, "outside"),
        (("build", "--untrained", "--out", "B", "--keep-ratio", "0.7,0.7"), 1, "2 keep ratios for 3"),
        (("build", "--untrained", "--out", "B", "--elimination-blocks", "3,6,12"), 1, "0..11"),
        (("build", "--untrained", "--out", "B", "--template-tokens", "middle"), 2, "middle"),
        (("build", "--untrained", "--out", "B", "--variant", "ostrack-512"), 1, "ostrack-256, ostrack-384"),
        (("build", "--untrained", "--out", "B", "--batch", "0"), 1, "--batch is '0'"),
        (("build", "--untrained", "--out", "B", "--batch", "some"), 1, "'any'"),
        (("build", "--untrained", "--out", "B", "--color", "hsv"), 2, "hsv"),
        (("build", "--untrained", "--heads", "7", "--out", "B"), 1, "7 attention heads"),
        (("inspect", "nowhere"), 1, "ostrack-export build"),
        (("verify", "nowhere"), 1, "ostrack-export build"),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments: tuple[str, ...], code: int, words: str, tmp_path: Path) -> None:
    placed = [str(tmp_path / a) if a in ("B", "C") else a for a in arguments]
    done = run(*placed)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "B").exists()


def test_without_a_checkpoint_the_default_model_is_built(tmp_path: Path) -> None:
    done = run("build", "--out", tmp_path / "half", "--keep-ratio", "0.5")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"no checkpoint given: the default model edge, described in {default_card()}\n")
    built, default = Bundle.open(tmp_path / "half").manifest, Bundle.open(default_bundle()).manifest
    assert set(built.network.keep_ratios) == {0.5}
    assert built.network == dataclasses.replace(default.network, keep_ratios=built.network.keep_ratios)
    assert (built.weights_sha256, built.trained) == (default.weights_sha256, True)


def test_without_a_bundle_the_default_one_is_looked_at() -> None:
    said = f"no bundle given: the default model edge, described in {default_card()}\n"
    shown = run("inspect", "--json")
    assert (shown.returncode, shown.stderr) == (0, said)
    assert json.loads(shown.stdout)["network"]["variant"] == "edge"
    verified = run("verify")
    assert (verified.returncode, verified.stderr) == (0, said)
    assert f"{default_bundle()} agrees with the PyTorch answers stored in it" in verified.stdout


def test_a_variant_that_does_not_fit_is_one_sentence(checkpoint: Path, tmp_path: Path) -> None:
    done = run("build", "--checkpoint", checkpoint, "--variant", "ostrack-384", "--out", tmp_path / "B")
    assert done.returncode == 1
    assert "does not fit ostrack-384" in done.stderr
    assert not (tmp_path / "B").exists()


def test_the_help_shows_what_is_taken_where_nothing_is_said() -> None:
    shown = "".join(run("build", "--help").stdout.split())
    assert "[linears,cpu]" in shown.replace("│", "")
    assert "[published:" in shown
