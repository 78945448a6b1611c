"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...runtime.manifest import Precision

Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every figure to FILE as JSON.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The weights that the bundle was built from, for PyTorch; known of the default model."
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads of each process; the cores shared out.")]


def parse_precisions(text: str) -> tuple[Precision, ...]:
    """Precisions from "fp32,int8". Raises typer.BadParameter."""
    try:
        return tuple(dict.fromkeys(Precision(part.strip()) for part in text.split(",")))
    except ValueError:
        known = ", ".join(map(str, Precision))
        raise typer.BadParameter(f"precisions are some of {known}, with commas between, not {text!r}") from None


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from "1,2,3". Raises typer.BadParameter."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"seeds are whole numbers such as 1,2,3, not {text!r}") from None


def parse_part(text: str) -> tuple[int, int]:
    """(2, 4) from "2/4". Raises typer.BadParameter."""
    number, _, parts = text.partition("/")
    try:
        found = int(number), int(parts)
    except ValueError:
        found = 0, 0
    if not 1 <= found[0] <= found[1]:
        raise typer.BadParameter(f"a part is such as 2/4, the second of four, not {text!r}")
    return found


def whole_spec(spec: str) -> str:
    """A data set's LAYOUT:PATH with a whole path, so that it can be found from any folder later."""
    prefix, colon, path = spec.partition(":")
    # A prefix of one letter is a drive.
    if not colon or len(prefix) < 2 or Path(spec).exists():
        return str(Path(spec).expanduser().absolute())
    return f"{prefix}:{Path(path).expanduser().absolute()}"
