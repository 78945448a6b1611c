"""What the command line changes in a preset, or in a recipe's file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..export.variants import HEAD_DIM, Elimination
from ..runtime.errors import BundleError, InputError
from ..runtime.manifest import from_json, to_json
from ..runtime.network import NetworkGeometry, TemplateTokens
from .begin import tracker_geometry
from .distil import EVERYTHING, DistilWeights
from .presets import Preset, jitter_for, preset
from .recipe import Optimizer, Precision, Recipe

MLP = 4
"""The MLP's width over the network's, in every ViT."""


@dataclass(frozen=True)
class GeometryOptions:
    """None leaves what the preset has. keep_ratio: one, or one per elimination block."""

    template_size: int | None = None
    search_size: int | None = None
    template_factor: float | None = None
    search_factor: float | None = None
    template_tokens: TemplateTokens | None = None
    keep_ratio: float | Sequence[float] | None = None
    elimination_blocks: Sequence[int] | None = None
    width: int | None = None
    depth: int | None = None
    heads: int | None = None
    head_width: int | None = None


@dataclass(frozen=True)
class RecipeOptions:
    """None leaves what the preset has. distil: as "score=1,box=1,tokens=0.5"."""

    epochs: float | None = None
    pairs_per_epoch: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    optimizer: str | None = None
    drop_path: float | None = None
    clip_norm: float | None = None
    precision: str | None = None
    validate_every: float | None = None
    seed: int | None = None
    distil: str | None = None


@dataclass(frozen=True)
class RecipeFile:
    """What `ostrack-train presets NAME --json` prints and `--recipe FILE` reads."""

    geometry: NetworkGeometry | None
    recipe: Recipe


def choose(name: str | None, file: Path | None) -> tuple[str, Preset]:
    """The preset that is named, or that a recipe's file makes, and what to call it. Raises InputError."""
    if (name is None) == (file is None):
        raise InputError("give either --preset NAME (see: ostrack-train presets), or --recipe FILE")
    if name is not None:
        return name, preset(name)
    assert file is not None
    found = read_recipe(file)
    return file.name, Preset(f"of {file}", found.geometry, found.recipe, found.geometry is None)


def recipe_json(chosen: Preset) -> str:
    """A preset as `--recipe FILE` reads it."""
    return json.dumps(to_json(RecipeFile(chosen.geometry, chosen.recipe)), indent=1)


def read_recipe(path: Path) -> RecipeFile:
    """Raises InputError naming what is missing, unknown or of another kind."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the recipe {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"the recipe {path} is no JSON ({error})") from None
    try:
        found = from_json(RecipeFile, data, path.name)
    except BundleError as error:
        raise InputError(f"the recipe cannot be used: {error}; see: ostrack-train presets edge --json") from None
    unknown = _unknown(data, to_json(found))
    if unknown:
        raise InputError(f"the recipe {path} has what no recipe has: {', '.join(unknown)}")
    return found


def planned_geometry(chosen: Preset, options: GeometryOptions, init: Path | None) -> NetworkGeometry:
    """The network to train. Raises InputError, GeometryError for one that cannot be, CheckpointError."""
    base = chosen.geometry
    if base is None:
        if init is None:
            raise InputError("this preset goes on with a trained tracker; give its checkpoint with --init")
        base = tracker_geometry(init)
    if init is not None:
        given = [f"--{name}" for name in ("width", "depth") if getattr(options, name) is not None]
        if given:
            raise InputError(f"the network is that of --init; leave out {' and '.join(given)}")
    names = ("template_size", "search_size", "template_factor", "search_factor", "head_width", "width", "depth")
    changes: dict[str, Any] = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.width is not None:
        changes |= {"heads": _heads(options.width, options.heads), "mlp_width": MLP * options.width}
    elif options.heads is not None:
        changes["heads"] = options.heads
    depth = changes.get("depth", base.depth)
    elimination = Elimination(options.keep_ratio, options.template_tokens, options.elimination_blocks)
    # Of another depth, the preset's blocks mean other places: a quarter, half and three quarters of the way instead.
    inherited = base if depth == base.depth else None
    blocks, ratios, tokens = elimination.apply(depth, inherited)
    changes |= {"elimination_blocks": blocks, "keep_ratios": ratios, "template_tokens": tokens}
    geometry = dataclasses.replace(base, **changes)
    if any(getattr(geometry, name) != getattr(base, name) for name in names):
        name = f"custom-{geometry.template_size}-{geometry.search_size}"
        geometry = dataclasses.replace(geometry, variant=name)
    return geometry


def planned_recipe(chosen: Preset, options: RecipeOptions, geometry: NetworkGeometry, taught: bool) -> Recipe:
    """The recipe to train by. taught: whether there is a teacher. Raises InputError."""
    recipe, how = chosen.recipe, chosen.recipe.optimisation
    if chosen.geometry is None:
        recipe = dataclasses.replace(recipe, jitter=jitter_for(geometry.search_factor))
    warmup = recipe.elimination
    changes: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("pairs_per_epoch", "batch", "learning_rate", "drop_path", "clip_norm")
        if getattr(options, name) is not None
    }
    if options.optimizer is not None:
        changes["optimizer"] = _choice(Optimizer, options.optimizer, "--optimizer")
    if options.epochs is not None:
        scale = options.epochs / how.epochs
        changes |= {"epochs": options.epochs, "decay_epoch": how.decay_epoch * scale}
        warmup = dataclasses.replace(warmup, start=warmup.start * scale, end=warmup.end * scale)
    whole: dict[str, Any] = {"optimisation": dataclasses.replace(how, **changes), "elimination": warmup}
    if options.precision is not None:
        whole["precision"] = _choice(Precision, options.precision, "--precision")
    for name in ("validate_every", "seed"):
        if getattr(options, name) is not None:
            whole[name] = getattr(options, name)
    if options.distil is not None:
        whole["distillation"] = parse_distil(options.distil)
    elif taught and not recipe.distillation.any:
        whole["distillation"] = EVERYTHING
    recipe = dataclasses.replace(recipe, **whole)
    if taught and not recipe.distillation.any:
        raise InputError("--distil leaves nothing to learn from the teacher; give it a weight above 0, or no teacher")
    return recipe


def parse_distil(text: str) -> DistilWeights:
    """From "score=1,box=0.5": what is not named is off. Raises InputError."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            if name not in ("score", "box", "tokens") or name in weights:
                raise ValueError
            weights[name] = float(value)
        except ValueError:
            raise InputError(f"--distil is {text!r}; write it as score=1,box=1,tokens=0.5") from None
    return DistilWeights(**weights)


def _choice(kind: Any, text: str, option: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{option} is {text!r}; choose {', '.join(map(str, kind))}") from None


def _heads(width: int, heads: int | None) -> int:
    if heads is None and width % HEAD_DIM:
        raise InputError(f"a width of {width} is no multiple of {HEAD_DIM}; say how many attention heads with --heads")
    return heads if heads is not None else width // HEAD_DIM


def _unknown(data: Any, known: Any, where: str = "") -> list[str]:
    """Keys of parsed JSON that the dataclass made of it does not have."""
    if not (isinstance(data, dict) and isinstance(known, dict)):
        return []
    found = []
    for name, value in data.items():
        path = f"{where}.{name}" if where else name
        found += _unknown(value, known[name], path) if name in known else [path]
    return found
