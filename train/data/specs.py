"""Training data by name: KIND:PATH, such as got10k:/data/GOT-10k/train, to the sources that draw from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ...datasets.registry import LAYOUTS, open_dataset
from ...runtime.errors import FootageError, InputError
from .coco import CocoSource, find_coco
from .hold_back import HoldBack
from .packed import open_packed, open_photos
from .pairs import Weighted
from .pictures import Pictures
from .sequences import MAX_GAP, SequenceSource


@dataclass(frozen=True)
class Choices:
    """What holds for all of the data. max_gap: frames between template and search at most. allow_truncated: take JPEG
    files and videos that end early as they are."""

    hold_back: HoldBack = field(default_factory=HoldBack)
    max_gap: int = MAX_GAP
    allow_truncated: bool = False


class Part(NamedTuple):
    """What one spec gives: sources to train on, those that were held back, and the names that could be."""

    training: list[Weighted]
    validation: list[Weighted]
    names: frozenset[str] = frozenset()


Opener = Callable[[str, str, Choices], Part]
"""From a kind and what stands after its colon. Raises InputError and FootageError."""


def open_part(spec: str, choices: Choices) -> Part:
    """The sources that `spec` names: KIND:PATH, where KIND is one of `KINDS`, and has to be given.

    Raises InputError for an unknown kind, a test set, and data of which nothing can be used; FootageError for what is
    missing, damaged, or laid out otherwise.
    """
    kind, rest = _split(spec)
    return KINDS[kind](kind, rest, choices)


def _split(spec: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z][A-Za-z0-9_-]+):(.*)", spec, re.DOTALL)
    if not match or match[1].lower() not in KINDS:
        what = f"{match[1]!r} in {spec}" if match else spec
        raise InputError(
            f"{what} does not say what kind of training data it is: write KIND:PATH, as in "
            f"got10k:/data/GOT-10k/train; known are: {', '.join(sorted(set(KINDS) - set(_TEST_SETS)))}"
        )
    kind = match[1].lower()
    if not match[2]:
        raise InputError(f"{spec} names no place; write it as {kind}:/path/to/the/data")
    return kind, match[2]


def _sequences(kind: str, rest: str, choices: Choices) -> Part:
    dataset = open_dataset(f"{kind}:{rest}", choices.allow_truncated)
    groups = set(choices.hold_back.groups)
    held = tuple(s for s in dataset.sequences if s.name in groups)
    kept = tuple(s for s in dataset.sequences if s.name not in groups)
    training, validation = (
        [Weighted(SequenceSource(replace(dataset, sequences=chosen), max_gap=choices.max_gap), 1.0)] if chosen else []
        for chosen in (kept, held)
    )
    return Part(training, validation, frozenset(s.name for s in dataset.sequences))


def _test_set(kind: str, rest: str, choices: Choices) -> Part:
    instead = f"; its training set is {kind}-train:{rest}" if f"{kind}-train" in KINDS else ""
    raise InputError(f"{kind}:{rest} is the test set of a benchmark, which is not to be trained on{instead}")


def _coco(kind: str, rest: str, choices: Choices) -> Part:
    # FILE.json,FOLDER names the folder of the photos too; a path may hold commas elsewhere.
    match = re.fullmatch(r"(.+\.json),(.+)", rest, re.IGNORECASE | re.DOTALL)
    path, images = (Path(match[1]), Path(match[2]).expanduser()) if match else (Path(rest), None)
    path = path.expanduser()
    if not path.exists():
        raise FootageError(f"{path} does not exist; give COCO's folder or a file of annotations, as in coco:/data/coco")
    return Part([Weighted(CocoSource(find_coco(path, images)), 1.0)], [])


def _packed(kind: str, rest: str, choices: Choices) -> Part:
    return Part(*open_packed(_folder(rest), choices.hold_back, choices.max_gap))


def _photos(kind: str, rest: str, choices: Choices) -> Part:
    return Part(open_photos(_folder(rest), choices.hold_back, Pictures()), [])


def _folder(rest: str) -> Path:
    path = Path(rest).expanduser()
    if not path.is_dir():
        raise FootageError(f"{path} is no folder; check the path")
    return path


_TEST_SETS = ("lasot", "lasot-ext", "trackingnet")
"""Prefixes that mean a test set, where the training set may lie in the same folder."""

KINDS: Mapping[str, Opener] = MappingProxyType(
    {
        **{layout.prefix: _sequences for layout in LAYOUTS if layout.prefix not in _TEST_SETS},
        **dict.fromkeys(_TEST_SETS, _test_set),
        "coco": _coco,
        "packed": _packed,
        "photos": _photos,
    }
)
"""Every kind of training data: the layouts of `datasets`, and what only training reads."""
