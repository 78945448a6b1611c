"""Which rows a table of speeds has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...runtime.bundle import Bundle
from ...runtime.errors import BackendError, BenchmarkError
from ...runtime.manifest import Precision
from .protocol import Engine, Row

PYTORCH_ROWS = (Row(Engine.REFERENCE), Row(Engine.SAVINGS), Row(Engine.COMPILED))


@dataclass(frozen=True)
class MissingRow:
    """A row without figures, and the sentence that says why."""

    name: str
    reason: str


def choose_rows(
    bundle: Bundle, names: Sequence[str], precisions: Sequence[Precision] = ()
) -> tuple[list[Row], list[MissingRow]]:
    """The PyTorch rows, then one per backend and precision of the bundle, and the backends that cannot run here.

    names: the backends asked for, or none for all; one that is asked for and cannot run raises BackendError.
    precisions: those asked for, or none for all; one that no chosen backend runs raises BackendError.
    """
    # Lazily, as the runtime's backends need an inference library's bindings and `macs` needs none.
    from ...runtime.backends.select import available

    manifest = bundle.manifest
    if manifest.batch not in (None, 1):
        raise BenchmarkError(
            f"{bundle.folder} takes exactly {manifest.batch} targets at a time and one is measured; "
            "build a bundle with --batch 1"
        )
    choices = {choice.name: choice for choice in available(bundle)}
    for name in names:
        if name not in choices:
            raise BackendError(f"there is no backend {name!r}; known are: {', '.join(choices)}")
        if not choices[name].usable:
            raise BackendError(f"the backend {name} cannot run {bundle.folder} here: {choices[name].reason}")
    chosen = [choices[name] for name in dict.fromkeys(names or choices)]
    rows = [
        Row(Engine.BUNDLE, c.name, p)
        for c in chosen
        if c.usable
        for p in c.precisions
        if not precisions or p in precisions
    ]
    for precision in precisions:
        if precision not in {row.precision for row in rows}:
            has = "; ".join(f"{c.name}: {', '.join(map(str, c.precisions)) or 'none'}" for c in chosen if c.usable)
            raise BackendError(f"no chosen backend runs {bundle.folder} in {precision} here ({has or 'none can run'})")
    return [*PYTORCH_ROWS, *rows], [MissingRow(c.name, c.reason) for c in chosen if not c.usable]


def rows_beside(bundle: Bundle, names: Sequence[str], precisions: Sequence[Precision] = ()) -> list[Row]:
    """The rows of a bundle measured beside another: its graphs' engines, without PyTorch. Raises as choose_rows."""
    rows, _ = choose_rows(bundle, names, precisions)
    return [replace(row, beside=str(bundle.folder)) for row in rows if row.engine is Engine.BUNDLE]
