from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.runtime import bundle as bundle_module
from ostrack_edge.runtime.backends import load_backend
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BackendError, BundleError
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
    with pytest.raises(BundleError, match="no search graph in int8"):
        manifest.graph(GraphRole.SEARCH, Precision.INT8)


@pytest.mark.parametrize("which", ["search", "template", "reference"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "folder"])
def test_a_damaged_file_is_refused_by_name(copied: Path, which: str, damage: str) -> None:
    path = next(copied.glob(f"ostrack-*/{which}.*"))
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
        (lambda d: d["network"].update(search_factor=0), "search_factor is 0"),
        (lambda d: d["network"].update(template_factor=float("nan")), "template_factor is nan"),
        (lambda d: d["network"].update(template_factor=-1.0), "template_factor is -1"),
        (lambda d: d["network"].update(template_factor=10**400), "template_factor is too large"),
        (lambda d: d["network"].update(search_size=160_000_000), "search_size"),
        (lambda d: d["network"].update(width=0), "width is 0"),
        (lambda d: d["network"].update(mlp_width=-3), "mlp_width is -3"),
        (lambda d: d.update(batch=0), "batch is 0"),
        (lambda d: d["graphs"][0].update(path="a\0b"), "outside of it"),
        (lambda d: d["graphs"][0].update(path="\ud800"), "outside of it"),
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


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\xff", '{"schema": 1', "[" * 100_000, '{"schema": ' + "1" * 5000 + "}"]
)
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


@pytest.mark.parametrize(
    "change",
    [
        lambda d: (d["network"].update(search_size=112), d.update(kept_counts=[35, 25])),
        lambda d: d["network"].update(template_size=80),
        lambda d: (d["network"].update(keep_ratios=[0.6, 0.6]), d.update(kept_counts=[39, 24])),
        lambda d: (d["network"].update(keep_ratios=[0.7, 1.0]), d.update(kept_counts=[45])),
        lambda d: d.update(batch=2),
        lambda d: d.update(batch=None),
    ],
)
def test_graphs_that_the_manifest_misdescribes_are_not_run(copied: Path, change: Callable[[dict], object]) -> None:
    edit(copied, change)
    with pytest.raises(BackendError, match="do not fit its manifest"):
        load_backend(Bundle.open(copied))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: {k: v[:0] for k, v in a.items()}, "it holds no crops"),
        (lambda a: {**a, "search": a["search"][:-1]}, "search is uint8"),
        (lambda a: {**a, "box": a["box"].astype("float64")}, "box is float64"),
        (lambda a: {**a, "cell": a["cell"] + 64}, "outside the score map"),
        (lambda a: {**a, "kept_1": a["kept_1"][:, 1:]}, "kept_1 is int32"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(copied: Path, change: Callable[[dict], dict], words: str) -> None:
    bundle = Bundle.open(copied)
    path = bundle.path(bundle.manifest.reference)
    with np.load(path) as arrays:
        changed = change(dict(arrays))
    np.savez(path, **changed)
    with pytest.raises(BundleError, match=words):
        read_reference(bundle)


def test_a_bundle_replaced_while_it_is_opened_is_the_new_one(
    copied: Path, bundle_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = bundle_of(color="rgb")
    read = bundle_module.read_manifest
    seen = []

    def replaced(folder: Path) -> Manifest:
        manifest = read(folder)
        if not seen:
            shutil.rmtree(copied)
            shutil.copytree(newer, copied)
        seen.append(manifest)
        return manifest

    monkeypatch.setattr(bundle_module, "read_manifest", replaced)
    assert Bundle.open(copied).manifest.color == "rgb"
    assert len(seen) == 2
