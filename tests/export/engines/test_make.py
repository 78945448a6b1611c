"""Engines that the builder really makes, and what becomes of a bundle where it does not."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ostrack_edge.export.engines import make
from ostrack_edge.export.engines.cache import read_timing_cache, write_timing_cache
from ostrack_edge.export.engines.make import EnginePlan, make_engines
from ostrack_edge.export.engines.targets import parse_targets
from ostrack_edge.export.write import amend, staging
from ostrack_edge.runtime.bundle import Bundle, file_sha256
from ostrack_edge.runtime.errors import BackendError, BundleError, ExportError, InputError, OutputError
from ostrack_edge.runtime.manifest import Flavour, GraphRole, Precision, Recipe, to_json

SM86 = parse_targets("rtx:sm86")
FP32 = EnginePlan(SM86, (Precision.FP32,))


def state(folder: Path) -> dict[str, str]:
    """Every file of a bundle by its hash."""
    return {str(p.relative_to(folder)): file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    before = state(folder), sorted(p.name for p in folder.iterdir())
    yield
    assert (state(folder), sorted(p.name for p in folder.iterdir())) == before


def test_an_engine_for_each_graph_target_and_recipe(built: Bundle) -> None:
    manifest = built.manifest
    uses = {(e.role, e.precision, e.recipe, e.target) for e in manifest.engines}
    both = [(Precision.FP16, Recipe.PLAIN), (Precision.INT8, Recipe.LINEARS)]
    expected = {(role, *kind, sm) for role in GraphRole for kind in both for sm in ("sm86", "sm89")}
    expected |= {(role, Precision.INT8, Recipe.ATTENTION, "sm86") for role in GraphRole}
    assert uses == expected
    assert len(manifest.engines) == len(expected)


def test_what_an_engine_is_bound_to(built: Bundle) -> None:
    import tensorrt_rtx

    for engine in built.manifest.engines:
        graph = built.manifest.graph(engine.role, engine.precision, engine.recipe)
        assert (engine.graph_sha256, engine.batch) == (graph.sha256, 1)
        assert (engine.flavour, engine.version) == (Flavour.RTX, tensorrt_rtx.__version__)
        assert len(built.read_engine(engine)) == engine.bytes > 10_000
        assert len(built.read_layers(engine)) == engine.layers_bytes
    engines = [e.sha256 for e in built.manifest.engines if e.role is GraphRole.SEARCH]
    assert len(set(engines)) == len(engines)


def test_engines_for_the_same_use_are_replaced_and_others_kept(bare: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(bare)
    make_engines(folder, dataclasses.replace(FP32, batch=2))
    one = make_engines(folder, FP32)
    assert one[0].seconds > 0
    before = Bundle.open(folder).manifest.engines
    assert sorted(e.batch for e in before) == [1, 1, 2, 2]
    again = {made.file.path for made in make_engines(folder, FP32)}
    after = Bundle.open(folder)
    assert {e.path for e in after.manifest.engines} == again | {e.path for e in before if e.batch == 2}
    for engine in after.manifest.engines:
        after.read_engine(engine)
    held = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    graphs = {g.path for g in after.manifest.graphs} | {after.manifest.reference.path, "manifest.json"}
    assert held == graphs | {path for e in after.manifest.engines for path in (e.path, e.layers)}
    assert len([p for p in folder.iterdir() if p.is_dir()]) == 3


def test_options_of_the_builder(bare: Path, copied: Callable[[Path], Path]) -> None:
    assert len(make_engines(copied(bare), dataclasses.replace(FP32, workspace=64, level=1))) == 2


def test_a_timing_cache_is_refused_where_it_would_do_nothing(
    bare: Path, copied: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder, cache = copied(bare), tmp_path / "timing.cache"
    with unchanged(folder), pytest.raises(InputError, match="measures nothing when it builds"):
        make_engines(folder, dataclasses.replace(FP32, timing_cache=cache))
    assert not cache.exists()


def test_the_timing_cache_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "timing.cache"
    assert read_timing_cache(path) == b""
    write_timing_cache(path, b"measured")
    assert read_timing_cache(path) == b"measured"
    with pytest.raises(OutputError, match="no folder"):
        read_timing_cache(tmp_path / "nowhere" / "timing.cache")


def damage_graph(folder: Path) -> None:
    """Make the search graph one that no parser takes, of which the manifest nevertheless vouches."""
    bundle = Bundle.open(folder)
    search = bundle.manifest.graph(GraphRole.SEARCH, Precision.FP32)
    bundle.path(search).write_bytes(b"\x08\x0a no graph")
    changed = dataclasses.replace(
        search, sha256=file_sha256(bundle.path(search)), bytes=bundle.path(search).stat().st_size
    )
    graphs = tuple(changed if g == search else g for g in bundle.manifest.graphs)
    manifest = dataclasses.replace(bundle.manifest, graphs=graphs)
    (folder / "manifest.json").write_text(json.dumps(to_json(manifest)))


def test_a_graph_that_does_not_parse(bare: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(bare)
    damage_graph(folder)
    with unchanged(folder), pytest.raises(ExportError, match=r"builds no engine of search.fp32.onnx: it does not pars"):
        make_engines(folder, FP32)


@pytest.mark.parametrize(
    ("plan", "error", "words"),
    [
        (EnginePlan(SM86, (Precision.FP16,)), BundleError, "no template graph in fp16 .*ostrack-export build"),
        (EnginePlan(SM86, (Precision.INT8,)), BundleError, "no template graph in int8 .linears"),
        (EnginePlan(SM86, (Precision.FP32,), Recipe.LINEARS), InputError, "--recipe linears is for INT8"),
        (EnginePlan(parse_targets("rtx:sm87")), InputError, r"builds for sm75, .*, not for sm87; .*--target tensorrt"),
        (EnginePlan(parse_targets("rtx:sm86,rtx:sm90")), InputError, "not for sm90"),
        (EnginePlan(()), InputError, "no target is named"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(
    plan: EnginePlan, error: type[Exception], words: str, bare: Path, copied: Callable[[Path], Path]
) -> None:
    folder = copied(bare)
    with unchanged(folder), pytest.raises(error, match=words) as caught:
        make_engines(folder, plan)
    assert "\n" not in str(caught.value)


def test_a_fixed_batch_stays_as_it_is(graphs: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(graphs)
    with unchanged(folder), pytest.raises(BundleError, match=r"take 1 per call, not 2; .*--batch any"):
        make_engines(folder, dataclasses.replace(FP32, batch=2))


def test_a_plan_that_means_nothing() -> None:
    wrongs: list[dict[str, Any]] = [{"recipe": Recipe.CPU}, {"recipe": Recipe.PLAIN}]
    wrongs += [{"batch": 0}, {"workspace": 0}, {"level": 6}]
    for wrong in wrongs:
        with pytest.raises(InputError):
            EnginePlan(SM86, **wrong)


def test_a_bundle_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        make_engines(tmp_path / "nowhere", FP32)
    assert not (tmp_path / "nowhere").exists()


def test_without_a_gpu_its_own_target_is_refused(
    bare: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise BackendError("no NVIDIA GPU is found here")

    monkeypatch.setattr("ostrack_edge.export.engines.targets.find_gpu", none)
    folder = copied(bare)
    with unchanged(folder), pytest.raises(BackendError, match=r"--target rtx builds for the GPU .*such as rtx:sm86"):
        make_engines(folder, EnginePlan(parse_targets("rtx")))


def test_a_full_disk_leaves_nothing_behind(bare: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(bare)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with unchanged(folder), pytest.raises(BundleError, match=r"cannot be written: .*; nothing was left behind"):
            make_engines(folder, FP32)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_what_is_not_fused_is_not_added(
    tiny_bundle: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # FP32 attention is never fused; the condition is about the other precisions, so it is put to it by hand.
    folder = copied(tiny_bundle)
    monkeypatch.setattr(make, "shortfalls", lambda report, engine, kept: [a.block for a in report.attentions])
    with unchanged(folder), pytest.raises(ExportError, match=r"not fused as required: blocks.0; blocks.1"):
        make_engines(folder, dataclasses.replace(FP32, require_fused=True))


def test_ctrl_c_cancels_the_build(bare: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(bare)
    said: list[str] = []

    def interrupt(step: str) -> None:
        said.append(step)
        if "optimizing graph" in step and "search" in step:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with unchanged(folder), pytest.raises(KeyboardInterrupt):
        make_engines(folder, FP32, interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    after = len(said)
    assert len(make_engines(folder, FP32, said.append)) == 2
    assert len(said) - after > after, "the interrupted build went on to its end"


def test_a_step_that_cannot_be_told_is_raised(bare: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(bare)

    def broken(step: str) -> None:
        if ":" in step and "building engine" in step:
            raise BrokenPipeError("the terminal has gone")

    with unchanged(folder), pytest.raises((BrokenPipeError, BundleError), match=r"gone|Broken pipe"):
        make_engines(folder, FP32, broken)


def test_engines_go_with_the_bundle_that_they_are_of(bare: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(bare)
    make_engines(folder, FP32)
    from ostrack_edge.export import build_bundle, untrained_network

    from .conftest import FUSING

    build_bundle(untrained_network(FUSING, 1), folder, trained=False)
    assert Bundle.open(folder).manifest.engines == ()
    assert not list(folder.rglob("*.engine"))
    assert len(list(folder.iterdir())) == 2


def test_a_bundle_that_was_amended_stays_whole_whatever_comes_after(bare: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(bare)
    manifest = Bundle.open(folder).manifest

    def stopped() -> None:
        with staging(folder) as new:
            (new / "reference.npz").write_bytes((folder / manifest.reference.path).read_bytes())
            moved = dataclasses.replace(manifest.reference, path=f"{new.name}/reference.npz")
            amend(folder, new, dataclasses.replace(manifest, reference=moved))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert Bundle.open(folder).manifest.reference.path != manifest.reference.path
    assert not (folder / manifest.reference.path).exists()
