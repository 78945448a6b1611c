from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.cli import main
from ostrack_edge.models import default_card
from ostrack_edge.runtime.backends import BACKENDS

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Runs `ostrack-bench` with arguments; gives exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ostrack-bench", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        return (caught.value.code, *capsys.readouterr())  # type: ignore[return-value]

    return run


def test_macs_of_a_published_network(bench: Bench, tmp_path: Path) -> None:
    code, out, err = bench("macs", "--variant", "ostrack-256", "--all", "--json", str(tmp_path / "macs.json"))
    assert (code, err) == (0, "")
    for figure in ("21.517", "22.640", "29.050", "18.904", "21.5", "29.0"):
        assert figure in out
    assert "keeps 180, 126, 89 of 256 search tokens after block 3, 6, 9" in out
    report = json.loads((tmp_path / "macs.json").read_text())
    assert report["total"]["every_matmul"] == 22_639_694_848
    saved = sum(saving["macs"] for saving in report["savings"])
    assert report["total"]["every_matmul"] - saved == report["total"]["search_graph"]
    assert [row["keep_ratio"] for row in report["keep_ratios"]] == [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert report["network"]["template_tokens"] == "centre"


def test_macs_options(bench: Bench) -> None:
    code, out, _ = bench(
        "macs",
        "--variant",
        "ostrack-384",
        "--keep-ratio",
        "0.5,0.6",
        "--elimination-blocks",
        "2,7",
        "--template-tokens",
        "all",
    )
    assert code == 0
    assert "keeps 288, 173 of 576 search tokens after block 2, 7, ranked by template tokens 'all'" in out
    assert "keep ratio" not in out
    assert "no candidate is dropped" in bench("macs", "--keep-ratio", "1")[1]


def test_macs_without_a_bundle_are_the_default_models(bench: Bench) -> None:
    code, out, err = bench("macs")
    assert code == 0
    assert err == f"no bundle given: the default model edge, described in {default_card()}\n"
    assert out.startswith("edge: template ")
    assert "counted from the ONNX files: " in out
    code, out, err = bench("macs", "--keep-ratio", "0.5", "--template-tokens", "all")
    assert code == 0
    assert out.startswith("edge: template ")
    assert "ranked by template tokens 'all'" in out
    assert "counted from the ONNX files: " not in out


def test_without_a_bundle_the_default_models_speed_is_measured(bench: Bench) -> None:
    code, _, err = bench("fps", "--backend", "abacus")
    assert code == 1
    assert err.splitlines() == [
        f"no bundle given: the default model edge, described in {default_card()}",
        f"error: there is no backend 'abacus'; known are: {', '.join(BACKENDS)}",
    ]


def test_macs_of_a_bundle(bench: Bench, tiny_bundle: Path) -> None:
    code, out, err = bench("macs", str(tiny_bundle))
    assert (code, err) == (0, "")
    assert "counted from the ONNX files: " in out
    assert "paper" not in bench("macs", str(tiny_bundle), "--all")[1].split("by keep ratio")[1]
    code, out, err = bench("macs", str(tiny_bundle), "--keep-ratio", "1")
    assert (code, err) == (0, "")
    assert "no candidate is dropped" in out


def test_macs_without_onnx_says_how_to_get_it(bench: Bench, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, out, _ = bench("macs", str(tiny_bundle))
    assert code == 0
    assert "from the manifest; to count the ONNX files install onnx: pip install 'ostrack-edge[export]'" in out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            ["macs", "there", "--variant", "ostrack-256"],
            2,
            "there and --variant ostrack-256 are two networks",
        ),
        (["macs", "--variant", "ostrack-1000"], 1, "no variant 'ostrack-1000'"),
        (["macs", "--keep-ratio", "1.5"], 2, "outside (0, 1]"),
        (["macs", "--variant", "ostrack-256", "--keep-ratio", "0.5,0.5"], 1, "2 keep ratios for 3 elimination blocks"),
        (["macs", "--variant", "ostrack-256", "--elimination-blocks", "3,12,13"], 1, "must rise and lie in 0..11"),
        (["macs", "--template-tokens", "corner"], 2, "corner"),
        (["macs", "--json", "nowhere/macs.json"], 1, "there is no folder"),
        (["macs", "nowhere"], 1, "nowhere is no bundle"),
        (["fps", "nowhere"], 1, "nowhere is no bundle"),
        (["fps", "nowhere", "--rounds", "0"], 2, "--rounds"),
        (["fps", "nowhere", "--sustained", "-1"], 1, "sustained is -1 seconds"),
        (["fps", "nowhere", "--json", "."], 1, "is a folder"),
    ],
)
def test_wrong_arguments(
    bench: Bench, arguments: list[str], code: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, out, err = bench(*arguments)
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_a_backend_that_there_is_not(bench: Bench, tiny_bundle: Path) -> None:
    code, _, err = bench("fps", str(tiny_bundle), "--backend", "abacus")
    assert code == 1
    assert f"there is no backend 'abacus'; known are: {', '.join(BACKENDS)}" in err


def test_the_command_line_loads_neither_torch_nor_onnx() -> None:
    script = (
        "import sys, ostrack_edge.benchmarks.cli; print({'torch', 'onnx', 'onnxruntime', 'cv2'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
