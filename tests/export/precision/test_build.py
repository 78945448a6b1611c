"""Bundles of several precisions, from footage to what the manifest says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import Tracker
from ostrack_edge.benchmarks.engines import choose_engines, load_engine
from ostrack_edge.export import OSTrack, build_bundle
from ostrack_edge.export.precision.plan import Calibrating, PrecisionPlan
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BackendError, BundleError, FootageError, InputError, VerificationError
from ostrack_edge.runtime.manifest import GraphRole, Precision, Recipe

EVERYTHING = frozenset(Precision)


@pytest.fixture(scope="module")
def bundle(tiny_network: OSTrack, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    recipes = (Recipe.LINEARS, Recipe.ATTENTION, Recipe.CPU)
    plan = PrecisionPlan(EVERYTHING, Calibrating((f"folders:{clips}",), recipes, limit=48))
    return build_bundle(tiny_network, tmp_path_factory.mktemp("all") / "bundle", plan=plan, trained=False)


def test_the_manifest_says_what_was_built_and_how_well_it_agrees(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert manifest.recipes(Precision.FP16) == (Recipe.PLAIN,)
    assert manifest.recipes(Precision.INT8) == (Recipe.LINEARS, Recipe.ATTENTION, Recipe.CPU)
    assert manifest.calibration is not None
    assert manifest.calibration.sources == ("scene3", "scene4")
    assert manifest.calibration.crops >= 16
    kinds = [(a.precision, a.recipe) for a in manifest.agreement]
    assert kinds == [(Precision.FP16, Recipe.PLAIN), *((Precision.INT8, r) for r in manifest.recipes(Precision.INT8))]
    assert all(a.frames >= 4 and 0.8 < a.mean_iou < 1 for a in manifest.agreement)
    assert manifest.agreement[0].mean_iou > 0.99


def test_files_are_as_small_as_their_precision(bundle: Bundle) -> None:
    sizes = {(g.precision, g.recipe): g.bytes for g in bundle.manifest.graphs if g.role is GraphRole.SEARCH}
    weights = sum(w.numel() for w in (p for p in _network_parameters(bundle)))
    # The graph itself weighs as much as a network this small: what is stored per weight is what is saved.
    assert sizes[Precision.FP32, Recipe.PLAIN] - sizes[Precision.FP16, Recipe.PLAIN] > 1.5 * weights
    assert sizes[Precision.FP32, Recipe.PLAIN] - sizes[Precision.INT8, Recipe.CPU] > 1.5 * weights


def _network_parameters(bundle: Bundle):
    from ostrack_edge.export import untrained_network

    network = untrained_network(bundle.manifest.network)
    return [p for name, p in network.named_parameters() if "blocks" in name]


def test_the_cpu_runs_int8_and_refuses_fp16(bundle: Bundle) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    boxes = {}
    for precision in ("fp32", "int8"):
        tracker = Tracker.load(bundle, precision=precision)
        tracker.init(frame, (50, 40, 30, 30))
        boxes[precision] = tracker.update(frame).box
        assert tracker.backend.describe()["precision"] == precision
    assert boxes["fp32"] != boxes["int8"]
    with pytest.raises(BackendError, match="computes fp16 in FP32 on a CPU"):
        Tracker.load(bundle, "onnxruntime", precision="fp16")
    with pytest.raises(BackendError, match="it runs this bundle in fp32, int8, not in fp16"):
        Tracker.load(bundle, precision="fp16")


def test_benchmarks_take_the_emulation_only_by_name(bundle: Bundle) -> None:
    cpu = [("onnxruntime", Precision.FP32), ("onnxruntime", Precision.INT8)]
    gpu = [("emulated", Precision.FP16), ("emulated", Precision.INT8)]
    assert choose_engines(bundle, (), ()) == cpu
    assert choose_engines(bundle, ("emulated",), ()) == gpu
    assert choose_engines(bundle, ("emulated", "onnxruntime"), (Precision.INT8,)) == [gpu[1], cpu[1]]
    with pytest.raises(BundleError, match="does not run in fp16 here"):
        choose_engines(bundle, (), (Precision.FP16,))
    assert load_engine(bundle, *gpu[1], 1).describe()["precision"] == "int8 (linears), emulated"
    with pytest.raises(BackendError, match="no graphs in fp32 that could be emulated"):
        load_engine(bundle, "emulated", Precision.FP32, 1)


def test_a_bundle_of_fp32_alone_has_nothing_to_emulate(tiny_bundle: Path) -> None:
    with pytest.raises(BackendError, match="neither fp16 nor int8 graphs"):
        choose_engines(Bundle.open(tiny_bundle), ("emulated",), ())


def test_fp16_needs_no_footage(tiny_network: OSTrack, tmp_path: Path) -> None:
    plan = PrecisionPlan(frozenset({Precision.FP16}))
    manifest = build_bundle(tiny_network, tmp_path / "b", plan=plan, batch=None, trained=False).manifest
    assert manifest.recipes(Precision.FP32) == manifest.recipes(Precision.FP16) == (Recipe.PLAIN,)
    assert [(a.precision, a.frames) for a in manifest.agreement] == [(Precision.FP16, 8)]
    assert manifest.calibration is None


def test_int8_without_footage_is_refused() -> None:
    with pytest.raises(InputError, match="INT8 needs footage to calibrate on: give --calibration"):
        PrecisionPlan(EVERYTHING)
    with pytest.raises(InputError, match="--calibration is for INT8"):
        PrecisionPlan(frozenset({Precision.FP16}), Calibrating(("clip.mp4",)))


def test_a_build_that_fails_leaves_nothing(tiny_network: OSTrack, tmp_path: Path) -> None:
    plan = PrecisionPlan(EVERYTHING, Calibrating((str(tmp_path / "absent.mp4"),)))
    with pytest.raises(FootageError, match=r"absent\.mp4 does not exist"):
        build_bundle(tiny_network, tmp_path / "b", plan=plan, trained=False)
    assert not (tmp_path / "b").exists()


def test_a_precision_that_does_not_give_fp32s_boxes_is_not_published(
    tiny_network: OSTrack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ostrack_edge.export.precision import add

    monkeypatch.setitem(add.LEAST_OVERLAP, Precision.FP16, 1.01)
    with pytest.raises(
        VerificationError, match=r"the fp16 graphs do not give FP32's boxes: their mean overlap is 0\.\d+"
    ):
        build_bundle(tiny_network, tmp_path / "b", plan=PrecisionPlan(frozenset({Precision.FP16})), trained=False)
    assert not (tmp_path / "b").exists()


def test_the_same_footage_gives_the_same_files(
    tiny_network: OSTrack, clips: Path, bundle: Bundle, tmp_path: Path
) -> None:
    plan = PrecisionPlan(frozenset({Precision.INT8}), Calibrating((f"folders:{clips}",), (Recipe.CPU,), limit=48))
    again = build_bundle(tiny_network, tmp_path / "b", plan=plan, trained=False)
    assert [again.manifest.graph(role, Precision.INT8).sha256 for role in GraphRole] == [
        bundle.manifest.graph(role, Precision.INT8, Recipe.CPU).sha256 for role in GraphRole
    ]
