"""Training data by name: KIND:PATH, such as got10k:/data/GOT-10k/train, to the sources that draw from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ...datasets.registry import LAYOUTS, open_dataset
from ...runtime.errors import FootageError, InputError
from .coco import CocoSource, find_coco
from .sequences import MAX_GAP, SequenceSource
from .sources import Source


@dataclass(frozen=True)
class Choices:
    """What holds for all of the data. hold_back: sequences by name that are not to be trained on. max_gap: frames
    between template and search at most. allow_truncated: take JPEG files and videos that end early as they are.
    """

    hold_back: frozenset[str] = frozenset()
    max_gap: int = MAX_GAP
    allow_truncated: bool = False


Opener = Callable[[str, str, Choices], list[Source]]
"""From a kind and what stands after its colon. Raises InputError and FootageError."""


def open_sources(
    spec: str, *, hold_back: Iterable[str] = (), max_gap: int = MAX_GAP, allow_truncated: bool = False
) -> list[Source]:
    """The sources that `spec` names: KIND:PATH, where KIND is one of `KINDS`, and has to be given.

    hold_back: names of sequences that are left out, without being read; every one of them must be there. Raises
    InputError for an unknown kind or name, a test set, and data of which nothing can be used; FootageError for what is
    missing, damaged, or laid out otherwise.
    """
    kind, rest = _split(spec)
    return list(KINDS[kind](kind, rest, Choices(frozenset(hold_back), max_gap, allow_truncated)))


def _split(spec: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z][A-Za-z0-9_-]+):(.*)", spec, re.DOTALL)
    if not match or match[1].lower() not in KINDS:
        what = f"{match[1]!r} in {spec}" if match else spec
        raise InputError(
            f"{what} does not say what kind of training data it is: write KIND:PATH, as in "
            f"got10k:/data/GOT-10k/train; known are: {', '.join(sorted(KINDS))}"
        )
    kind = match[1].lower()
    if not match[2]:
        raise InputError(f"{spec} names no place; write it as {kind}:/path/to/the/data")
    return kind, match[2]


def _sequences(kind: str, rest: str, choices: Choices) -> list[Source]:
    dataset = open_dataset(f"{kind}:{rest}", choices.allow_truncated, skip=choices.hold_back)
    return [SequenceSource(dataset, max_gap=choices.max_gap)]


def _test_set(kind: str, rest: str, choices: Choices) -> list[Source]:
    instead = f"; its training set is {kind}-train:{rest}" if f"{kind}-train" in KINDS else ""
    raise InputError(f"{kind}:{rest} is the test set of a benchmark, which is not to be trained on{instead}")


def _coco(kind: str, rest: str, choices: Choices) -> list[Source]:
    if choices.hold_back:
        raise InputError(
            f"{kind}:{rest} holds photos, not sequences: {', '.join(sorted(choices.hold_back))} cannot be held back"
        )
    # FILE.json,FOLDER names the folder of the photos too; a path may hold commas elsewhere.
    match = re.fullmatch(r"(.+\.json),(.+)", rest, re.IGNORECASE | re.DOTALL)
    path, images = (Path(match[1]), Path(match[2]).expanduser()) if match else (Path(rest), None)
    path = path.expanduser()
    if not path.exists():
        raise FootageError(f"{path} does not exist; give COCO's folder or a file of annotations, as in coco:/data/coco")
    return [CocoSource(find_coco(path, images))]


_TEST_SETS = ("lasot", "lasot-ext", "trackingnet")
"""Prefixes that mean a test set, where the training set may lie in the same folder."""

KINDS: Mapping[str, Opener] = MappingProxyType(
    {
        **{layout.prefix: _sequences for layout in LAYOUTS if layout.prefix not in _TEST_SETS},
        **dict.fromkeys(_TEST_SETS, _test_set),
        "coco": _coco,
    }
)
"""Every kind of training data: the layouts of `datasets`, and what only training reads."""
