"""From `--data` and `--hold-back` to the sources of a training and those of its validation."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...runtime.errors import InputError
from .hold_back import HoldBack
from .pairs import Weighted
from .specs import Choices, Part, open_part


@dataclass(frozen=True)
class Mixture:
    """What a network is trained on, and what was held back: empty where nothing was."""

    training: tuple[Weighted, ...]
    validation: tuple[Weighted, ...]


def open_mixture(
    specs: Sequence[str], hold_back: HoldBack, max_gap: int = 200, allow_truncated: bool = False
) -> Mixture:
    """All sources of `--data KIND:PATH[=SHARE]`. Each spec gives pairs by its share, 1 where it names none.

    Raises InputError for a spec that cannot be read, a test set, and a name to hold back that is nowhere; FootageError
    for what is missing, damaged, or laid out otherwise.
    """
    if not specs:
        raise InputError("no data to train on; give some with --data, as in --data packed:FOLDER")
    choices = Choices(hold_back, max_gap, allow_truncated)
    parts = [_scaled(open_part(spec, choices), share) for spec, share in map(split_share, specs)]
    unknown = set(hold_back.groups).difference(*(part.names for part in parts))
    if unknown:
        known = sorted(set().union(*(part.names for part in parts)))
        more = f" and {len(known) - 8} more" if len(known) > 8 else ""
        raise InputError(
            f"there is no sequence {', '.join(sorted(unknown))} to hold back; the data have: "
            f"{', '.join(known[:8])}{more}"
        )
    training = tuple(source for part in parts for source in part.training)
    if not training:
        raise InputError("everything is held back: nothing is left to train on")
    return Mixture(training, tuple(source for part in parts for source in part.validation))


def split_share(text: str) -> tuple[str, float]:
    """A spec and its share, from "got10k:/data/train=0.5". Raises InputError."""
    match = re.fullmatch(r"(.*)=([0-9.eE+-]+)", text, re.DOTALL)
    if not match:
        return text, 1.0
    try:
        share = float(match[2])
    except ValueError:
        share = math.nan
    if not 0 < share < math.inf:
        raise InputError(f"{text}: a share is a number above 0")
    return match[1], share


def _scaled(part: Part, share: float) -> Part:
    """The part's own shares brought to a sum of `share`."""
    sums = [sum(weighted.share for weighted in sources) for sources in (part.training, part.validation)]
    training, validation = (
        [replace(weighted, share=weighted.share * share / total) for weighted in sources]
        for sources, total in zip((part.training, part.validation), sums, strict=True)
    )
    return Part(training, validation, part.names)
