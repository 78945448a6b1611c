from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BundleError
from ostrack_edge.runtime.manifest import (
    SCHEMA,
    GraphRole,
    Manifest,
    Precision,
    from_json,
    read_manifest,
    to_json,
)
from ostrack_edge.runtime.selftest import read_reference


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_a_manifest_survives_its_json(tiny_bundle: Path) -> None:
    manifest = read_manifest(tiny_bundle)
    assert from_json(Manifest, json.loads(json.dumps(to_json(manifest)))) == manifest


def test_a_good_bundle_opens_and_names_its_parts(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    manifest = bundle.manifest
    assert manifest.network.kept_counts == (45, 32)
    assert not manifest.trained
    assert manifest.parity[0].kept_sets_equal == manifest.parity[0].crops == 8
    assert bundle.path(manifest.graph(GraphRole.SEARCH, Precision.FP32)).suffix == ".onnx"
    with pytest.raises(BundleError, match="no int8 graph"):
        manifest.graph(GraphRole.SEARCH, Precision.INT8)


@pytest.mark.parametrize("which", ["search", "template", "reference"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "folder"])
def test_a_damaged_file_is_refused_by_name(copied: Path, which: str, damage: str) -> None:
    path = next(copied.glob(f"build-*/{which}.*"))
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(data[:-7])
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    with pytest.raises(BundleError, match=path.name):
        Bundle.open(copied)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(schema=SCHEMA + 1), "upgrade it"),
        (lambda d: d.update(schema=0), "build the bundle again"),
        (lambda d: d.update(schema="1"), "names no schema"),
        (lambda d: d.pop("schema"), "names no schema"),
        (lambda d: d.pop("color"), "lacks color"),
        (lambda d: d.update(color="gbr"), "manifest.color is 'gbr'"),
        (lambda d: d.update(batch="1"), "manifest.batch should be int"),
        (lambda d: d.update(batch=True), "manifest.batch should be int"),
        (lambda d: d.update(graphs={}), "manifest.graphs should be a list"),
        (lambda d: d.update(graphs=[]), "lists no graphs"),
        (lambda d: d["graphs"][0].pop("sha256"), r"manifest.graphs\[0\] lacks sha256"),
        (lambda d: d["network"].update(heads=7), "manifest.network: .*7 attention heads"),
        (lambda d: d["network"].update(keep_ratios=[0.7]), "manifest.network"),
        (lambda d: d.update(kept_counts=[45, 31]), r"kept_counts are \[45, 31\], the network's keep ratios give"),
        (lambda d: d.update(versions=["torch"]), "manifest.versions should be an object"),
        (lambda d: d["graphs"][0].update(path="../outside.onnx"), "outside of it"),
        (lambda d: d["graphs"][0].update(path="/etc/hostname"), "outside of it"),
        (lambda d: d["graphs"][0].update(path="C:\\x.onnx"), "outside of it"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_by_field(
    copied: Path, change: Callable[[dict], object], words: str
) -> None:
    edit(copied, change)
    with pytest.raises(BundleError, match=words):
        Bundle.open(copied)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff", '{"schema": 1', "[" * 100_000])
def test_a_manifest_that_is_no_json_is_refused(copied: Path, text: str) -> None:
    (copied / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        Bundle.open(copied)


def test_a_folder_without_a_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="ostrack-export build"):
        Bundle.open(tmp_path)
    with pytest.raises(BundleError, match="ostrack-export build"):
        Bundle.open(tmp_path / "nowhere")
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(BundleError, match="a bundle is a folder"):
        Bundle.open(file)


def test_a_reference_that_is_no_reference_is_refused(copied: Path) -> None:
    bundle = Bundle.open(copied)
    bundle.path(bundle.manifest.reference).write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(BundleError, match=r"reference\.npz is damaged"):
        read_reference(bundle)
