"""Which of a data set's sequences are wanted, told before anything of them is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...runtime.errors import InputError

_SHOWN = 5
"""How many of a data set's names a refusal gives."""

T = TypeVar("T")


@dataclass(frozen=True)
class Selection:
    """only: sequences by name, none for all; skip: those to leave out. What is not taken may be damaged."""

    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()

    def choose(
        self, root: Path, items: Iterable[T], name: Callable[[T], str | tuple[str, ...]], known: Iterable[str] = ()
    ) -> list[T]:
        """The items that are wanted, in their order; `name`: the sequence that an item will be, or all that it goes by.

        Raises InputError for a name that no item has and that is not `known` besides, and where nothing is left.
        """
        named = [({n} if isinstance(n, str) else set(n), item) for item in items for n in (name(item),)]
        self._check(root, [*(n for names, _ in named for n in sorted(names)), *known])
        chosen = [item for n, item in named if (not self.only or n & self.only) and not n & self.skip]
        if not chosen and (self.only or self.skip):
            raise InputError(f"no sequence of {root} is left; take fewer away")
        return chosen

    def _check(self, root: Path, names: Iterable[str]) -> None:
        held = list(dict.fromkeys(names))
        unknown = sorted((self.only | self.skip) - set(held))
        if unknown:
            more = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
            raise InputError(
                f"{root} has no sequence {', '.join(map(repr, unknown))}; it has {', '.join(held[:_SHOWN])}{more}"
            )
