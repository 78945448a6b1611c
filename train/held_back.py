"""How a network does at several keep ratios on pairs that it was not trained on (supplementary, table 5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..export.model import OSTrack
from ..runtime.errors import InputError
from ..runtime.network import NetworkGeometry
from .begin import places
from .data.crops import Jitter
from .data.hold_back import HoldBack
from .data.mixture import Mixture, open_mixture
from .data.packed import group_name
from .plan import PLAN, Origin, Plan, read_plan
from .presets import jitter_for
from .validate import Scores, validate, validation_pairs

RATIOS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Of the supplementary's table 5."""

_GENERATIONS = 16


@dataclass(frozen=True)
class Row:
    """One network at one keep ratio. kept: search tokens left after each stage that drops some."""

    keep_ratio: float
    kept: tuple[int, ...]
    scores: Scores


@dataclass(frozen=True)
class HeldBack:
    """What to validate on: data as `--data` takes them, what of them is held back, and how crops stray."""

    data: tuple[str, ...]
    hold_back: HoldBack
    jitter: Jitter
    max_gap: int


def choose_held_back(
    checkpoint: Path, data: Sequence[str], hold_back: HoldBack | None, geometry: NetworkGeometry
) -> HeldBack:
    """What `--data` and `--hold-back` mean for a checkpoint: without them, what its own run held back.

    Raises InputError for data that it, or what it began with, was trained on as far as the plans beside them say.
    """
    plans = list(ancestry(checkpoint))
    own = plans[0] if plans else None
    if not data and own is None:
        raise InputError(f"there is no {PLAN} beside {checkpoint} to say what was held back; give --data")
    specs = tuple(data) if data or own is None else own.data
    held = hold_back or HoldBack()
    if hold_back is None and own is not None and set(specs) <= set(own.data):
        held = own.hold_back
    for plan in plans:
        _check_unseen(checkpoint, plan, specs, held)
    if own is None:
        return HeldBack(specs, held, jitter_for(geometry.search_factor), 200)
    return HeldBack(specs, held, own.recipe.jitter, own.recipe.max_gap)


def ancestry(checkpoint: Path) -> Iterator[Plan]:
    """The plan beside a checkpoint, that beside what this run began with, and so on, as far as there are any."""
    for _ in range(_GENERATIONS):
        if not (checkpoint.parent / PLAN).is_file():
            return
        plan = read_plan(checkpoint.parent)
        yield plan
        if plan.start.origin is not Origin.CHECKPOINT or plan.start.path is None:
            return
        checkpoint = Path(plan.start.path)


def open_held_back(chosen: HeldBack) -> Mixture:
    """The sources to validate on, as the mixture's validation: what is held back, or everything where nothing is.

    Raises InputError where that is nothing, FootageError.
    """
    mixture = open_mixture(chosen.data, chosen.hold_back, chosen.max_gap)
    everything = chosen.hold_back == HoldBack()
    sources = mixture.training if everything else mixture.validation
    if not sources:
        raise InputError(f"nothing of {', '.join(chosen.data)} is held back; name sequences with --hold-back")
    return Mixture((), sources)


def table(
    network: OSTrack,
    mixture: Mixture,
    jitter: Jitter,
    ratios: Sequence[float],
    pairs: int,
    done: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """A row for each keep ratio, all on the same pairs; the network stays as it is. Raises InputError."""
    geometry = network.geometry
    if not geometry.elimination_blocks and any(ratio < 1 for ratio in ratios):
        raise InputError("the network drops no candidates; only a keep ratio of 1 can be validated")
    held, rows = validation_pairs(mixture.validation, network, jitter), []
    for ratio in ratios:
        at = dataclasses.replace(geometry, keep_ratios=(ratio,) * len(geometry.elimination_blocks))
        rows.append(Row(ratio, at.kept_counts, validate(network, held, pairs, at.eliminations)))
        done(rows[-1])
    return rows


def _check_unseen(checkpoint: Path, plan: Plan, specs: Sequence[str], held: HoldBack) -> None:
    trained = [place for spec in plan.data for place in places(spec)]
    for spec in specs:
        if not any(_overlap(mine, theirs) for mine in places(spec) for theirs in trained):
            continue
        unseen = {group_name(name) for name in plan.hold_back.groups}
        seen = [name for name in held.groups if group_name(name) not in unseen]
        if held == HoldBack() or seen or held.photos > plan.hold_back.photos:
            what = ", ".join(seen) if seen else f"more of {spec} than what was held back"
            back = plan.hold_back
            names = [*back.groups, *([f"photos={back.photos:g}"] if back.photos else [])]
            kept = f"give --hold-back {','.join(names)}" if names else "give other data: nothing was held back"
            raise InputError(f"{checkpoint} was trained on {what}, the figures would say nothing; {kept}")


def _overlap(a: Path, b: Path) -> bool:
    return a == b or a in b.parents or b in a.parents
