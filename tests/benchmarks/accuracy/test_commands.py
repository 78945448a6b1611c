from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.accuracy.agreement_command import choose_sides
from ostrack_edge.benchmarks.accuracy.entrants import made_up_network, reference_entrant
from ostrack_edge.benchmarks.accuracy.options import whole_spec
from ostrack_edge.datasets import Scene
from ostrack_edge.models import default_bundle, default_card
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BenchmarkError, VerificationError

from .conftest import Bench
from .made import entrant_record, write_run


def test_a_bundle_pytorch_and_a_peer_in_one_table(bench: Bench, clips: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    code, out, err = bench(
        *("accuracy", tiny_bundle, "--dataset", f"folders:{clips}", "--out", tmp_path / "run", "--name", "tiny"),
        *("--reference", "pytorch", "--peer", "mil:", "--precision", "fp32", "--jobs", "2", "--per-sequence"),
        *("--json", tmp_path / "figures.json"),
    )
    assert (code, err) == (0, "")
    for text in ("tiny-pytorch (noise)", "tiny-onnxruntime-fp32 (noise)", "mil ", "frames/s", "at 0.2", "to 0.5"):
        assert text in out
    assert "tiny-pytorch: made-up weights: its boxes are noise, and so is its score" in out
    report = json.loads((tmp_path / "figures.json").read_text())
    pytorch, ours, mil = report["entrants"]
    assert [e["name"] for e in report["entrants"]] == ["tiny-pytorch", "tiny-onnxruntime-fp32", "mil"]
    # The same network: the same boxes to a hundredth of a pixel, so nearly the same figures.
    assert ours["figures"]["mean_iou"] == pytest.approx(pytorch["figures"]["mean_iou"], abs=1e-3)
    assert (mil["trained"], ours["trained"]) == (True, False)
    assert set(ours["by_sequence"]) == {"one", "two"}

    code, out, _ = bench(
        "compare", tmp_path / "run", "--baseline", "tiny-pytorch", "--json", tmp_path / "compared.json"
    )
    assert code == 0
    assert "95 % interval" in out
    assert "made-up weights" in out
    compared = json.loads((tmp_path / "compared.json").read_text())
    assert [c["a_name"] for c in compared] == ["tiny-onnxruntime-fp32", "mil"]

    code, out, _ = bench("submit", tmp_path / "run", "--entrant", "mil", "--out", tmp_path / "files")
    assert (code, out) == (0, f"wrote the results of 2 sequences to {tmp_path / 'files'}\n")
    assert sorted(p.name for p in (tmp_path / "files").iterdir()) == [
        *("one.txt", "one_time.txt", "two.txt", "two_time.txt")
    ]


def test_without_a_bundle_the_default_model_is_tested(bench: Bench, clips: Path, tmp_path: Path) -> None:
    said = f"no bundle given: the default model edge, described in {default_card()}\n"
    run = ("accuracy", "--dataset", f"folders:{clips}", "--out", tmp_path / "run", "--threads", "1")
    code, out, err = bench(*run)
    assert (code, err) == (0, said)
    assert "edge-onnxruntime-fp32" in out
    # PyTorch needs no checkpoint, and a peer stands beside the model where something is said of it.
    code, out, err = bench(*run, "--reference", "pytorch", "--peer", "mil:")
    assert (code, err) == (0, said)
    for name in ("edge-pytorch ", "edge-onnxruntime-fp32 ", "mil "):
        assert name in out
    assert "noise" not in out
    code, out, err = bench(*run[:3], "--out", tmp_path / "alone", "--peer", "mil:")
    assert (code, err) == (0, "")
    assert "edge" not in out


def test_agreement_of_the_default_model_with_pytorch(bench: Bench, tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    Scene(160, 120, frames=4).write_video(clip)
    code, out, err = bench("agreement", "--video", clip, "--threads", "1")
    assert code == 0, err
    assert err == f"no bundle given: the default model edge, described in {default_card()}\n"
    assert "same cell in 100.0% of the frames" in out


def test_a_failed_sequence_is_told_after_the_table(bench: Bench, clips: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "clips"
    shutil.copytree(clips, broken)
    (broken / "one" / "img" / "0002.png").write_bytes(b"")
    code, out, err = bench("accuracy", "--dataset", f"folders:{broken}", "--out", tmp_path / "run", "--peer", "mil:")
    assert code == 1
    assert "1 of 2" in out
    assert err.startswith("error: mil on one: ")
    assert "the same command does the rest" in err
    assert len(err.splitlines()) == 1


def test_a_bad_sequence_is_left_out_by_name(bench: Bench, clips: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(clips, tmp_path / "clips")
    (tmp_path / "clips" / "one" / "groundtruth.txt").write_text("nan,nan,nan,nan\n")
    run = ("accuracy", "--dataset", f"folders:{tmp_path / 'clips'}", "--out", tmp_path / "run", "--peer", "mil:")
    code, _, err = bench(*run)
    assert code == 1
    assert "sequence one of folders has no box to start from" in err
    code, _, err = bench(*run, "--skip", "three")
    assert (code, err) == (1, f"error: {tmp_path / 'clips'} has no sequence 'three'; it has one, two\n")
    for choice in (("--skip", "one"), ("--only", "two")):
        code, out, err = bench(*run, *choice)
        assert (code, err) == (0, "")
        assert "mil" in out


def test_agreement_of_a_bundle_with_pytorch(bench: Bench, tiny_bundle: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    Scene(160, 120, frames=5).write_video(clip)
    code, out, err = bench(
        *("agreement", tiny_bundle, "--video", clip, "--against", "pytorch", "--pictures", tmp_path / "pictures"),
        *("--json", tmp_path / "agreement.json"),
    )
    assert (code, err) == (0, "")
    assert "same cell in 100.0% of the frames" in out
    assert "made-up weights" in out
    assert len(list((tmp_path / "pictures").iterdir())) == 4
    report = json.loads((tmp_path / "agreement.json").read_text())
    assert (report["name"], report["against"]) == ("onnxruntime fp32", "pytorch")
    assert report["worst_iou"] > 0.999
    assert len(report["frames"]) == 4


def test_agreement_over_a_data_set(bench: Bench, tiny_bundle: Path, clips: Path, tmp_path: Path) -> None:
    agree = ("agreement", tiny_bundle, "--dataset", f"folders:{clips}", "--threads", "1")
    code, out, err = bench(*agree, "--json", tmp_path / "total.json")
    assert code == 0, err
    assert "pytorch" in out
    total = json.loads((tmp_path / "total.json").read_text())
    assert len(total["sequences"]) > 1
    reports = total["sequences"].values()
    assert total["updates"] == sum(len(report["frames"]) for report in reports)
    ious = [frame["iou"] for report in reports for frame in report["frames"]]
    assert total["mean_iou"] == pytest.approx(sum(ious) / len(ious))
    assert total["worst_iou"] == min(ious) > 0.999
    for wrong in ((), ("--video", "x", "--dataset", "y"), ("--dataset", clips, "--init", "1,2,3,4")):
        assert bench("agreement", tiny_bundle, *wrong)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["accuracy"], 2, "--dataset"),
        (["accuracy", "--dataset", "x", "--out", "r", "--precision", "fp8"], 2, "precisions are some of fp32"),
        (["accuracy", "--dataset", "x", "--out", "r", "--jitter", "a"], 2, "seeds are whole numbers"),
        (["accuracy", "--dataset", "x", "--out", "r", "--part", "3/2"], 2, "a part is such as 2/4"),
        (["accuracy", "--dataset", "x", "--out", "r", "--peer", "siam:"], 1, "there is no peer 'siam'"),
        (["accuracy", "--dataset", "nowhere", "--out", "r", "--peer", "mil:"], 1, "nowhere does not exist"),
        (["accuracy", "nowhere", "--dataset", "x", "--out", "r"], 1, "nowhere is no bundle"),
        (["accuracy", "B", "--dataset", "x", "--out", "r", "--reference", "jax"], 2, "the reference is pytorch"),
        (["accuracy", "B", "--dataset", "x", "--out", "r", "--checkpoint", "c"], 2, "is for --reference pytorch"),
        (["agreement", "nowhere", "--video", "x"], 1, "nowhere is no bundle"),
        (["compare", "nowhere"], 1, "nowhere is no run"),
        (["report", "nowhere", "--out", "."], 1, "is a folder"),
        (["submit", "nowhere", "--out", "x.zip"], 1, "nowhere is no run"),
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
    assert list(tmp_path.iterdir()) == []


def test_wrong_choices_of_a_bundle(bench: Bench, tiny_bundle: Path, clips: Path, tmp_path: Path) -> None:
    run = ("accuracy", tiny_bundle, "--dataset", f"folders:{clips}", "--out", tmp_path / "run")
    agree = ("agreement", tiny_bundle, "--video", clips / "one")
    for arguments, sentence in [
        ((*run, "--precision", "int8"), "does not run in int8 here (onnxruntime: fp32)"),
        ((*run, "--backend", "abacus"), "there is no backend 'abacus'; known are: "),
        ((*run, "--name", "a/b"), "is no name for an entrant"),
        ((*run, "--reference", "pytorch", "--checkpoint", tmp_path / "c.pth"), "is not there; give the checkpoint"),
        ((*agree, "--against", "fp32"), "fp32 would be compared with itself; give --against pytorch, or name another"),
        ((*agree, "--against-backend", "onnxruntime"), "onnxruntime fp32 would be compared with itself"),
        ((*agree, "--precision", "int8"), "does not run in int8 here (onnxruntime: fp32)"),
        ((*agree, "--against", "fp8"), "'fp8' is nothing to compare with"),
        ((*agree, "--backend", "abacus"), "there is no backend 'abacus'"),
        ((*agree, "--against", "pytorch", "--init", "900,900,10,10"), "lies outside the frame"),
    ]:
        code, out, err = bench(*arguments)
        assert (code, out) == (1, "")
        assert sentence in err
    assert not (tmp_path / "run").exists()


def sides(bundle: Bundle, checkpoint: Path | None = None) -> tuple[str, str]:
    """What `agreement` compares where nobody says with what."""
    found = choose_sides(bundle, ("auto", "fp32"), (None, None), checkpoint, threads=1)
    return found[0].name, found[1].name


def test_agreement_compares_with_what_there_is(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny, edge = Bundle.open(tiny_bundle), Bundle.open(default_bundle())
    for bundle in (tiny, edge):
        assert sides(bundle) == ("onnxruntime fp32", "pytorch")
    # A trained bundle of somebody's own, whose weights are nowhere, unless they are named.
    own = dataclasses.replace(tiny, manifest=dataclasses.replace(tiny.manifest, trained=True))
    assert sides(own, checkpoint=Path("own.pth")) == ("onnxruntime fp32", "pytorch")
    with pytest.raises(BenchmarkError, match="compared with itself; give --against pytorch"):
        sides(own)
    monkeypatch.setattr("ostrack_edge.benchmarks.accuracy.agreement_command.installed", lambda package: False)
    with pytest.raises(BenchmarkError, match="compared with itself; give --against pytorch"):
        sides(tiny)


def test_the_reference_needs_the_bundles_own_weights(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    assert made_up_network(bundle).geometry == bundle.manifest.network
    trained = dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, trained=True))
    with pytest.raises(BenchmarkError, match="give them with --checkpoint"):
        reference_entrant(trained, None)
    other = dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, weights_sha256="0"))
    with pytest.raises(VerificationError, match="cannot be made again here"):
        made_up_network(other)


def test_the_report_of_a_run(bench: Bench, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report needs the extra [report]")
    pytest.importorskip("jinja2", reason="the report needs the extra [report]")
    run = write_run(tmp_path / "run", [entrant_record("ours", trained=False)], {("ours", "one"): 2.0})
    code, out, err = bench("report", run, "--out", tmp_path / "report.html", "--pictures", "0")
    assert (code, out, err) == (0, f"wrote {tmp_path / 'report.html'}\n", "")
    page = (tmp_path / "report.html").read_text()
    assert "ours" in page
    assert "noise" in page


def test_specs_hold_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd:name").mkdir()
    assert whole_spec("otb:data") == f"otb:{tmp_path}/data"
    assert whole_spec("data") == f"{tmp_path}/data"
    assert whole_spec("odd:name") == f"{tmp_path}/odd:name"
    assert whole_spec("/data/x") == "/data/x"
