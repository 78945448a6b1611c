"""Which of a bundle's engines run here, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..bundle import Bundle
from ..cuda import DeviceInfo
from ..errors import BackendError
from ..manifest import EngineFile, Flavour, GraphRole, Manifest, Precision, Recipe
from .base import Wanted

LIBRARY_NAMES: Mapping[Flavour, str] = MappingProxyType({Flavour.TENSORRT: "TensorRT", Flavour.RTX: "TensorRT for RTX"})
_ORDER = (Precision.FP16, Precision.INT8, Precision.FP32)
_RECIPES = (Recipe.PLAIN, Recipe.LINEARS, Recipe.ATTENTION)


class EnginePair(NamedTuple):
    """The two engines of one network."""

    template: EngineFile
    search: EngineFile


class Place(NamedTuple):
    """What an engine has to fit: the library here and its version, and the GPU."""

    flavour: Flavour
    version: str
    gpu: DeviceInfo


def usable_pairs(manifest: Manifest, place: Place) -> list[EnginePair]:
    """The pairs that can run at a place: FP16 first, then INT8, INT8 Linears before attention, small batches first."""
    groups: dict[tuple[Precision, Recipe, int], dict[GraphRole, EngineFile]] = {}
    for engine in manifest.engines:
        if _misfit(manifest, engine, place) is None:
            groups.setdefault((engine.precision, engine.recipe, engine.batch), {})[engine.role] = engine
    whole = {key: found for key, found in groups.items() if set(found) == set(GraphRole)}
    keys = sorted(whole, key=lambda key: (_ORDER.index(key[0]), _RECIPES.index(key[1]), key[2]))
    return [EnginePair(whole[key][GraphRole.TEMPLATE], whole[key][GraphRole.SEARCH]) for key in keys]


def choose_pair(bundle: Bundle, place: Place, wanted: Wanted) -> EnginePair:
    """The engines to load. Raises BackendError saying which there are and how to build what is missing."""
    batch = wanted.batch or bundle.manifest.batch or 1
    pairs = usable_pairs(bundle.manifest, place)
    for pair in pairs:
        engine = pair.search
        fits = engine.precision is wanted.precision and engine.batch == batch
        if fits and wanted.recipe in (None, engine.recipe):
            return pair
    if not pairs:
        raise BackendError(no_pair_sentence(bundle, place))
    named = wanted.recipe not in (None, Recipe.PLAIN)
    recipe, option = (f" ({wanted.recipe})", f" --recipe {wanted.recipe}") if named else ("", "")
    raise BackendError(
        f"{bundle.folder} has no {LIBRARY_NAMES[place.flavour]} engines in {wanted.precision}{recipe} for a batch of "
        f"{batch} on this GPU (it has: {_listed([p.search for p in pairs])}); build them with: "
        f"{_command(bundle, place)} --precision {wanted.precision}{option} --batch {batch}"
    )


def no_pair_sentence(bundle: Bundle, place: Place) -> str:
    """Why none of a bundle's engines runs at a place, and the command that builds one that does."""
    name = LIBRARY_NAMES[place.flavour]
    command = _command(bundle, place)
    own = [engine for engine in bundle.manifest.engines if engine.flavour is place.flavour]
    if not own:
        return f"{bundle.folder} holds no {name} engines; build some with: {command}"
    near = [engine for engine in own if engine.target == place.gpu.target]
    if not near:
        return (
            f"{bundle.folder} has no {name} engine for this GPU, {place.gpu.name} ({place.gpu.target}); it has: "
            f"{_listed(own)}; build one with: {command}"
        )
    reason = next((r for r in (_misfit(bundle.manifest, e, place) for e in near) if r), None)
    if reason is None:
        return f"{bundle.folder} has only one of the two {name} engines that a network needs; build both: {command}"
    return f"the {name} engines of {bundle.folder} for this GPU do not run here: {reason}; build them anew: {command}"


def _misfit(manifest: Manifest, engine: EngineFile, place: Place) -> str | None:
    """Why an engine does not run at a place, None where it does."""
    if engine.flavour is not place.flavour or engine.target != place.gpu.target:
        return f"they are for {engine.flavour} on {engine.target}"
    if engine.version != place.version:
        name = LIBRARY_NAMES[place.flavour]
        return f"they were built by {name} {engine.version}, and {place.version} is installed here"
    of = {g.sha256 for g in manifest.graphs if (g.role, g.precision, g.recipe) == _key(engine)}
    if engine.graph_sha256 not in of:
        return f"the {engine.role} engine in {engine.precision} was built from another graph than the bundle's"
    return None


def _key(engine: EngineFile) -> tuple[GraphRole, Precision, Recipe]:
    return engine.role, engine.precision, engine.recipe


def _command(bundle: Bundle, place: Place) -> str:
    target = "tensorrt" if place.flavour is Flavour.TENSORRT else f"rtx:{place.gpu.target}"
    return f"ostrack-export engines {bundle.folder} --target {target}"


def _listed(engines: Sequence[EngineFile]) -> str:
    words = [
        f"{e.target} {e.precision}{'' if e.recipe is Recipe.PLAIN else f' ({e.recipe})'} batch {e.batch}"
        for e in engines
    ]
    return ", ".join(dict.fromkeys(words))
