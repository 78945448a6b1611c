"""From the FP32 pair of graphs to those of the other precisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onnx import ModelProto

from ...calib.cache import cached_ranges
from ...calib.clipping import RangeMethod
from ...calib.crops import CalibrationCrops
from ...calib.ranges import TensorRange, search_ranges, template_ranges
from ...calib.replay import Crops, Replay, score_grid, session
from ...runtime.manifest import Recipe
from .agree import Pair, Runner
from .cpu import pack
from .emulate import emulated
from .equalise import equalise, norm_outputs
from .guard import guarded_nodes, largest_magnitudes
from .half import to_half
from .placement import quantise, quantised_tensors
from .sensitivity import Trial, keep_fewest

SENSITIVITY_CROPS = 48
"""Crops that the choice of Linears to keep in float is made on; each is run once per Linear."""

Say = Callable[[str], None]
"""Told of each step as it begins."""


@dataclass(frozen=True, eq=False)
class Ranges:
    """By name, of the values of each graph."""

    template: dict[str, TensorRange]
    search: dict[str, TensorRange]


def make_half(pair: Pair, crops: Crops, rows: Sequence[int], batch: int | None) -> Pair:
    """The pair in FP16, guarded where the values seen on these crops come near to overflow. Raises ExportError."""
    replay = Replay(crops, rows, batch)
    template = session(pair.template)
    takes_box = any(i.name == "template_box" for i in template.get_inputs())
    features, grid = replay.features(template), score_grid(session(pair.search))
    halves = []
    for model, runs in (
        (pair.template, [replay.template_feeds(target, takes_box) for target in replay.targets]),
        (pair.search, [replay.search_feeds(group, features, grid) for group in replay.groups]),
    ):
        largest = largest_magnitudes(model, len(runs), runs.__getitem__)
        halves.append(to_half(model, guarded_nodes(model, largest)))
    return Pair(*halves)


def on_a_cpu(pair: Pair, recipe: Recipe) -> Pair:
    """The pair as a CPU can run it: GPU recipes emulated, FP32 and the CPU's own as they are."""
    if recipe is Recipe.CPU:
        return pair
    return Pair(emulated(pair.template), emulated(pair.search))


class Quantiser:
    """Makes INT8 pairs from one FP32 pair and one set of crops; what they share is done once."""

    def __init__(self, pair: Pair, crops: CalibrationCrops, batch: int | None, method: RangeMethod, say: Say) -> None:
        self._crops, self._batch, self._method, self._say = crops, batch, method, say
        self._replay = Replay(crops, crops.seen, batch)
        self.pair, self.equalised = self._equalise(pair)

    def ranges(self, recipe: Recipe) -> Ranges:
        """Of all the activations that the recipe quantises."""
        template = self._template_ranges(
            self.pair.template, quantised_tensors(self.pair.template, recipe), self._method
        )
        search = self._search_ranges(self.pair, quantised_tensors(self.pair.search, recipe), self._method)
        return Ranges(template, search)

    def trial(self, recipe: Recipe, ranges: Ranges, crops: int = SENSITIVITY_CROPS) -> Trial:
        """For measuring parts of the search graph in INT8, on evenly spread crops."""
        rows = self._crops.seen[:: max(1, len(self._crops.seen) // crops)][:crops]
        return Trial(self.pair, recipe, ranges.search, Runner(self._crops, rows, self._batch))

    def make(self, recipe: Recipe, max_drop: float | None) -> tuple[Pair, tuple[str, ...]]:
        """The INT8 pair, and the Linears that were kept in float. Raises VerificationError where no choice holds
        `max_drop`, ExportError where FP16 cannot hold the rest."""
        ranges = self.ranges(recipe)
        kept: tuple[str, ...] = ()
        if max_drop is not None:
            self._say(f"int8 {recipe}: looking for Linears to keep in float")
            kept = keep_fewest(self.trial(recipe, ranges), max_drop)
        template = quantise(self.pair.template, recipe, ranges.template)
        search = quantise(self.pair.search, recipe, ranges.search, kept)
        if recipe is Recipe.CPU:
            return Pair(pack(template), pack(search)), kept
        return make_half(Pair(template, search), self._crops, self._crops.seen[:32], self._batch), kept

    def _equalise(self, pair: Pair) -> tuple[Pair, tuple[str, ...]]:
        models, names = [], []
        template = self._template_ranges(pair.template, norm_outputs(pair.template), RangeMethod.MINMAX)
        search = self._search_ranges(pair, norm_outputs(pair.search), RangeMethod.MINMAX)
        for model, found in ((pair.template, template), (pair.search, search)):
            changed, rescaled = equalise(model, {name: r.channel_max for name, r in found.items()})
            models.append(changed)
            names += rescaled
        return Pair(*models), tuple(names)

    def _template_ranges(self, template: ModelProto, tensors: list[str], method: RangeMethod) -> dict[str, TensorRange]:
        return cached_ranges(
            [template],
            self._crops.sha256,
            method,
            tensors,
            lambda: template_ranges(template, self._replay, tensors, method),
        )

    def _search_ranges(self, pair: Pair, tensors: list[str], method: RangeMethod) -> dict[str, TensorRange]:
        def measure() -> dict[str, TensorRange]:
            def progress(done: int, count: int) -> None:
                self._say(f"measuring {len(tensors)} activations: {done} of {count} runs")

            return search_ranges(pair.template, pair.search, self._replay, tensors, method, progress)

        return cached_ranges([pair.template, pair.search], self._crops.sha256, method, tensors, measure)
