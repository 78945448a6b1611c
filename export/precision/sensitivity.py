"""Which Linears cost accuracy in INT8, and which to keep in float so that a bound holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...runtime.errors import VerificationError
from ...runtime.manifest import Recipe
from .agree import Answers, Pair, Runner
from .cpu import pack
from .linears import linears
from .placement import Range, quantise

Progress = Callable[[int, int], None]
"""Told how many parts have been tried, and of how many."""


@dataclass(frozen=True)
class Sensitivity:
    """A part of the network alone in INT8, against FP32 from the same state. drop: 1 - mean overlap of the boxes;
    same_cell: share of the crops with the same best cell; linears: the Linears that it is made of."""

    name: str
    drop: float
    same_cell: float
    linears: tuple[str, ...]


class Trial:
    """Quantises parts of the FP32 search graph and measures each on the same crops."""

    def __init__(self, pair: Pair, recipe: Recipe, ranges: Mapping[str, Range], runner: Runner) -> None:
        self._pair, self._recipe, self._ranges, self._runner = pair, recipe, ranges, runner
        self._full: Answers = runner.answers(pair)
        self.names = [linear.name for linear in linears(pair.search)]

    def drop(self, kept_float: Sequence[str]) -> tuple[float, float]:
        """1 - mean overlap, and share of equal cells, with these Linears left in float."""
        search = quantise(self._pair.search, self._recipe, self._ranges, kept_float)
        if self._recipe is Recipe.CPU:
            pack(search)
        found = self._runner.answers(Pair(self._pair.template, search))
        return 1 - found.mean_iou(self._full), found.same_cell(self._full)

    def rank(self, by_block: bool, progress: Progress = lambda done, count: None) -> list[Sensitivity]:
        """Every Linear, or every block, alone in INT8: the costliest first."""
        groups: dict[str, list[str]] = {}
        for name in self.names:
            groups.setdefault(".".join(name.split(".")[:2]) if by_block else name, []).append(name)
        found = []
        for done, (group, members) in enumerate(groups.items(), 1):
            drop, same_cell = self.drop([name for name in self.names if name not in members])
            found.append(Sensitivity(group, drop, same_cell, tuple(members)))
            progress(done, len(groups))
        return sorted(found, key=lambda s: -s.drop)


def keep_fewest(trial: Trial, max_drop: float, progress: Progress = lambda done, count: None) -> tuple[str, ...]:
    """The fewest Linears, taken in the order of their sensitivity, that must stay float so that at most `max_drop` of
    the overlap is lost. Raises VerificationError where even one Linear in INT8 loses more.

    What is lost does not fall strictly with every Linear kept; the number is searched for by halving, and what is
    found holds the bound on the crops.
    """
    if trial.drop(())[0] <= max_drop:
        return ()
    ranked = [s.name for s in trial.rank(by_block=False, progress=progress)]
    low, high = 0, len(ranked) - 1
    if trial.drop(ranked[:high])[0] > max_drop:
        raise VerificationError(
            f"no Linear can be in INT8 within a drop of {max_drop:g}: {ranked[-1]} alone costs more; allow a larger "
            "--max-drop, or build fp16"
        )
    while high - low > 1:
        middle = (low + high) // 2
        if trial.drop(ranked[:middle])[0] <= max_drop:
            high = middle
        else:
            low = middle
    return tuple(name for name in trial.names if name in ranked[:high])
