"""The engines of a bundle: which are asked for, built one after the other, added in one step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...runtime.bundle import Bundle
from ...runtime.errors import BundleError, ExportError, InputError
from ...runtime.manifest import EngineFile, Flavour, GraphFile, GraphRole, Manifest, Precision, Recipe
from ..write import amend, staging
from .builder import BuildOptions, build_engine
from .cache import read_timing_cache, write_timing_cache
from .flavours import EngineLibrary, load_library
from .fusion import expected_blocks, report_fusion, shortfalls
from .layers import LayerList
from .store import with_engines, write_engine
from .targets import Target, resolve

Say = Callable[[str], None]

_GPU_RECIPES = (Recipe.LINEARS, Recipe.ATTENTION)


@dataclass(frozen=True)
class EnginePlan:
    """What engines to build.

    precisions: None for FP16 and INT8 as far as the bundle has them, FP32 where it has neither; recipe: of INT8, None
    for the first that the bundle has; batch: targets per call, None for the bundle's own, or 1 where it takes any;
    timing_cache: file to keep measurements in; require_fused: refuse engines whose blocks are not what they should be.
    """

    targets: tuple[Target, ...]
    precisions: tuple[Precision, ...] | None = None
    recipe: Recipe | None = None
    batch: int | None = None
    timing_cache: Path | None = None
    workspace: int | None = None
    level: int | None = None
    require_fused: bool = False

    def __post_init__(self) -> None:
        if self.recipe not in (None, *_GPU_RECIPES):
            raise InputError(f"no engine is built of the recipe {self.recipe}; give linears or attention")
        if self.batch is not None and self.batch < 1:
            raise InputError(f"the batch is {self.batch}; give a number from 1")
        if self.workspace is not None and self.workspace < 1:
            raise InputError(f"the workspace is {self.workspace} MiB; give a number from 1")
        if self.level is not None and not 0 <= self.level <= 5:
            raise InputError(f"the optimisation level is {self.level}; give 0 to 5")


@dataclass(frozen=True)
class MadeEngine:
    """An engine that was added, and the seconds that the builder took."""

    file: EngineFile
    seconds: float


def make_engines(folder: str | Path, plan: EnginePlan, say: Say = lambda step: None) -> tuple[MadeEngine, ...]:
    """Build the plan's engines of the bundle in `folder`, and add them to it once all are built.

    Engines for the same graph, target and batch are replaced; where anything fails the bundle stays as it was. Raises
    BundleError for a bundle that is no whole one, lacks a precision or cannot be written, InputError for a target that
    is not known, BackendError for a GPU or a library that does not serve, MissingExtraError for one that is absent,
    ExportError where no engine comes of a graph, or of `require_fused`.
    """
    folder = Path(folder)
    manifest = Bundle.open(folder).manifest  # so that `staging` makes no folder where there is no bundle
    targets = [(library, resolve(target, library)) for target, library in _libraries(plan.targets)]
    for library, _ in targets:
        if plan.timing_cache is not None and not library.keeps_timings:
            raise InputError(f"{library.name} measures nothing when it builds: leave --timing-cache out")
    _graphs(manifest, plan)
    with staging(folder) as new:
        bundle = Bundle.open(folder)  # again: no other build can replace it now
        batch = _batch(bundle.manifest, plan.batch)
        made = []
        for library, capability in targets:
            for graph in _graphs(bundle.manifest, plan):
                made.append(_make(bundle, graph, library, capability, batch, plan, new, say))
        engines = with_engines(bundle, tuple(engine.file for engine in made))
        amend(folder, new, dataclasses.replace(bundle.manifest, engines=engines))
    return tuple(made)


def check_fused(bundle: Manifest, engine: EngineFile, layers: LayerList) -> None:
    """Raise ExportError, naming blocks and Linears, where an FP16 or INT8 engine is not what its graph asks for."""
    report = report_fusion(layers, expected_blocks(engine.role, bundle.network.depth))
    found = shortfalls(report, engine, _kept_float(bundle, engine))
    if found:
        recipe = "" if engine.recipe is Recipe.PLAIN else f" ({engine.recipe})"
        raise ExportError(
            f"the {engine.role} engine in {engine.precision}{recipe} for {engine.flavour}:{engine.target} is not fused "
            f"as required: {'; '.join(found)}"
        )


def _kept_float(manifest: Manifest, engine: EngineFile) -> tuple[str, ...]:
    return next((g.kept_float for g in manifest.graphs if g.sha256 == engine.graph_sha256), ())


def _libraries(targets: tuple[Target, ...]) -> list[tuple[Target, EngineLibrary]]:
    if not targets:
        raise InputError("no target is named; give rtx:sm86 and the like, rtx, or tensorrt")
    loaded: dict[Flavour, EngineLibrary] = {}
    for target in targets:
        if target.flavour not in loaded:
            loaded[target.flavour] = load_library(target.flavour)
    return [(target, loaded[target.flavour]) for target in targets]


def _graphs(manifest: Manifest, plan: EnginePlan) -> list[GraphFile]:
    """The graphs to build from, both of each precision. Raises BundleError where one is missing."""
    found = []
    for precision in _precisions(manifest, plan):
        recipe = _recipe(manifest, plan.recipe) if precision is Precision.INT8 else Recipe.PLAIN
        found += [manifest.graph(role, precision, recipe) for role in GraphRole]
    return found


def _precisions(manifest: Manifest, plan: EnginePlan) -> tuple[Precision, ...]:
    if plan.precisions is not None:
        if plan.recipe is not None and Precision.INT8 not in plan.precisions:
            raise InputError(f"--recipe {plan.recipe} is for INT8; name it too: --precision int8")
        return tuple(dict.fromkeys(plan.precisions))
    if plan.recipe is not None:
        return (Precision.INT8,)
    have = [Precision.FP16] if manifest.recipes(Precision.FP16) else []
    if set(manifest.recipes(Precision.INT8)).intersection(_GPU_RECIPES):
        have.append(Precision.INT8)
    return tuple(have) or (Precision.FP32,)


def _recipe(manifest: Manifest, asked: Recipe | None) -> Recipe:
    if asked is not None:
        return asked
    have = manifest.recipes(Precision.INT8)
    return next((recipe for recipe in _GPU_RECIPES if recipe in have), Recipe.LINEARS)


def _batch(manifest: Manifest, asked: int | None) -> int:
    if manifest.batch is None:
        return asked or 1
    if asked not in (None, manifest.batch):
        raise BundleError(
            f"the bundle's graphs take {manifest.batch} per call, not {asked}; build one that takes any with: "
            "ostrack-export build --batch any"
        )
    return manifest.batch


def _make(
    bundle: Bundle, graph: GraphFile, library: EngineLibrary, capability: str, batch: int,
    plan: EnginePlan, new: Path, say: Say,
) -> MadeEngine:  # fmt: skip
    recipe = "" if graph.recipe is Recipe.PLAIN else f" ({graph.recipe})"
    what = f"{graph.role} {graph.precision}{recipe} for {library.flavour}:{capability}"
    cache = None if plan.timing_cache is None else read_timing_cache(plan.timing_cache)
    options = BuildOptions(plan.workspace, plan.level, cache)
    built = build_engine(
        library, bundle.path(graph), capability, batch, options, lambda step: say(f"{what}: {step.lower()}")
    )
    if plan.timing_cache is not None and built.timing_cache is not None:
        write_timing_cache(plan.timing_cache, built.timing_cache)
    engine = write_engine(new, built, graph, library, capability, batch)
    if plan.require_fused:
        check_fused(bundle.manifest, engine, built.layers)
    return MadeEngine(engine, built.seconds)
