"""Bundles: made whole or not at all, replaced in one step, and never from graphs that differ from PyTorch."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from ostrack_edge.export import build, build_bundle, untrained_network
from ostrack_edge.export.answers import make_reference
from ostrack_edge.export.parity import check_parity, measure_parity
from ostrack_edge.export.write import staging
from ostrack_edge.runtime.backends import load_backend
from ostrack_edge.runtime.bundle import Bundle, file_sha256
from ostrack_edge.runtime.errors import BundleError, VerificationError
from ostrack_edge.runtime.manifest import GraphRole, Precision
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry
from ostrack_edge.runtime.selftest import check_agreement, compare, read_reference

TINY = NetworkGeometry("tiny", 64, 128, 2.0, 4.0, 64, 4, 1, 128, 16, (1, 2), (0.7, 0.7))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "bundle"
    build_bundle(untrained_network(TINY), folder, source="seed 0", trained=False)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_bundle_holds_what_a_device_needs_and_nothing_else(good: Path) -> None:
    names = {Path(name).name for name in files(good)}
    assert names == {"manifest.json", "template.fp32.onnx", "search.fp32.onnx", "reference.npz"}
    manifest = Bundle.open(good).manifest
    assert manifest.source == "seed 0"
    assert manifest.network == TINY
    assert manifest.graph(GraphRole.TEMPLATE, Precision.FP32).macs == 16 * 768 * 64
    assert {"torch", "onnx", "onnxruntime"} <= manifest.versions.keys()
    assert "/" not in json.loads((good / "manifest.json").read_text())["created"]


def test_a_new_build_replaces_the_old_bundle_and_its_files(good: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    first = build_bundle(untrained_network(TINY), folder, trained=False)
    second = build_bundle(untrained_network(TINY, seed=1), folder, trained=False, color="rgb", batch=2)
    assert second.manifest.weights_sha256 != first.manifest.weights_sha256
    assert second.manifest.color is ColorOrder.RGB
    assert len(list(folder.glob("ostrack-*"))) == 1


@pytest.mark.parametrize("step", ["trace_search", "write_reference", "measure_parity", "check_parity", "publish"])
def test_a_build_that_stops_leaves_the_old_bundle_whole(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = files(good)
    monkeypatch.setattr(build, step, stop)
    for folder in (good, tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt):
            build_bundle(untrained_network(TINY, seed=2), folder)
    assert files(good) == before
    assert not (tmp_path / "new").exists()
    Bundle.open(good)


def test_a_full_disk_is_a_sentence_and_leaves_nothing(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = files(good)
    monkeypatch.setattr(build, "write_reference", full)
    with pytest.raises(BundleError, match="No space left on device; nothing was left behind"):
        build_bundle(untrained_network(TINY), good)
    assert files(good) == before


def test_a_disk_that_fills_up_at_the_manifest_is_the_same_sentence(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = files(good)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BundleError, match=r"^the bundle .* cannot be written: No space left on device; nothing was"):
        build_bundle(untrained_network(TINY), good)
    assert files(good) == before


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="holds no bundle; choose another --out"):
        build_bundle(untrained_network(TINY), tmp_path)
    with pytest.raises(BundleError, match="is a file; a bundle is a folder"):
        build_bundle(untrained_network(TINY), tmp_path / "thesis.txt")
    assert files(tmp_path) == {"thesis.txt": b"years of work"}


def test_folders_that_only_look_alike_are_left_alone(tmp_path: Path) -> None:
    for name in ("ostrack-data", "build-release"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.txt").write_text("mine")
    with pytest.raises(BundleError, match="holds no bundle"):
        build_bundle(untrained_network(TINY), tmp_path)
    (tmp_path / "manifest.json").write_text('{"name": "a web page", "icons": []}')
    with pytest.raises(BundleError, match="holds no bundle"):
        build_bundle(untrained_network(TINY), tmp_path)
    assert (tmp_path / "ostrack-data" / "data.txt").read_text() == "mine"


def test_what_lies_beside_a_bundle_stays(good: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "bundle"))
    (folder / "ostrack-notes").mkdir()
    (folder / "ostrack-notes" / "notes.txt").write_text("mine")
    stale = folder / "ostrack-stale"
    stale.mkdir()
    (stale / ".unfinished").touch()
    build_bundle(untrained_network(TINY), folder, trained=False)
    assert (folder / "ostrack-notes" / "notes.txt").exists()
    assert not stale.exists()
    assert len(list(folder.glob("ostrack-*"))) == 2


def test_a_newer_bundle_is_not_replaced(good: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "bundle"))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "schema": 99}))
    before = files(folder)
    with pytest.raises(BundleError, match="schema 99, newer"):
        build_bundle(untrained_network(TINY), folder)
    assert files(folder) == before


def test_two_builds_do_not_write_to_one_folder(good: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "bundle"))
    before = files(folder)
    with staging(folder), pytest.raises(BundleError, match="another build is writing"):
        build_bundle(untrained_network(TINY), folder)
    with pytest.raises(BundleError, match="another build"), staging(folder), staging(folder):
        pass
    assert {k: v for k, v in files(folder).items() if ".unfinished" not in k} == before


def test_an_interruption_inside_the_exporter_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise RuntimeError("\x1b[96mFailed to export the model") from None

    monkeypatch.setattr(torch.onnx, "export", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_bundle(untrained_network(TINY), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_place_that_cannot_be_written_is_a_sentence() -> None:
    with pytest.raises(BundleError, match="cannot be written"):
        build_bundle(untrained_network(TINY), "/proc/nowhere/bundle")


def test_weights_that_changed_after_tracing_are_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison looks at the files that ship: one wrong weight in them and there is no bundle."""
    trace = build.trace_search

    def wrong(*args: object, **options: object) -> onnx.ModelProto:
        model = trace(*args, **options)  # type: ignore[arg-type]
        weight = next(w for w in model.graph.initializer if w.name == "blocks.1.mlp.fc2.weight")
        values = numpy_helper.to_array(weight).copy()
        values[3, 5] += 1.0
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        return model

    monkeypatch.setattr(build, "trace_search", wrong)
    with pytest.raises(VerificationError, match=r"do not give what PyTorch gives: .*differs by"):
        build_bundle(untrained_network(TINY), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_an_engine_is_compared_with_the_stored_answers(good: Path) -> None:
    bundle = Bundle.open(good)
    reference = read_reference(bundle)
    agreement = compare(load_backend(bundle), reference)
    assert agreement.crops == agreement.same_cell == agreement.kept_sets_equal == len(reference) == 8
    check_agreement(agreement)
    check_parity(measure_parity(bundle, reference))


@pytest.mark.parametrize("batch", [1, 3, None])
def test_answers_of_another_network_are_noticed(batch: int | None, tmp_path: Path) -> None:
    bundle = build_bundle(untrained_network(TINY), tmp_path / "bundle", batch=batch)
    other = make_reference(untrained_network(TINY, seed=5), ColorOrder.BGR)
    with pytest.raises(VerificationError, match=r"box differs .*kept tokens are the same sets on 0 of"):
        check_agreement(compare(load_backend(bundle), other))
    with pytest.raises(VerificationError, match=r"score_map differs"):
        check_parity(measure_parity(bundle, other))


def test_a_nan_is_no_small_difference(good: Path) -> None:
    bundle = Bundle.open(good)
    reference = read_reference(bundle)
    reference.box[2, 1] = np.nan
    with pytest.raises(VerificationError, match="box differs by inf"):
        check_agreement(compare(load_backend(bundle), reference))


def test_reference_crops_look_like_pictures_and_reach_over_edges(good: Path) -> None:
    reference = read_reference(Bundle.open(good))
    assert len(np.unique(reference.search)) > 200
    black = (reference.search.reshape(len(reference), -1, 3) == 0).all(2).mean(1)
    assert (black > 0.02).any()
    assert (black < 0.02).any()


def test_files_are_readable_by_others_and_hashed(good: Path) -> None:
    manifest = Bundle.open(good).manifest
    for file in manifest.graphs:
        path = good / file.path
        assert path.stat().st_size == file.bytes
        assert file_sha256(path) == file.sha256
        assert path.stat().st_mode & 0o044 == 0o044 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_randomness_outside_is_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    untrained_network(TINY)
    assert torch.equal(torch.rand(1), expected)
