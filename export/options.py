"""Values of options that only exporting takes."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

import typer

from ..runtime.manifest import Precision, Recipe

Choice = TypeVar("Choice", bound=Enum)


def parse_precisions(text: str) -> frozenset[Precision]:
    """Precisions from "fp32,fp16,int8". Raises typer.BadParameter."""
    return frozenset(_choices(text, Precision, tuple(Precision)))


def parse_recipes(text: str) -> tuple[Recipe, ...]:
    """INT8 recipes from "linears,cpu", each once, in their order. Raises typer.BadParameter."""
    return tuple(dict.fromkeys(_choices(text, Recipe, (Recipe.LINEARS, Recipe.ATTENTION, Recipe.CPU))))


def _choices(text: str, kind: type[Choice], known: tuple[Choice, ...]) -> list[Choice]:
    values = [part.strip() for part in text.split(",")]
    names = {str(choice.value): choice for choice in known}
    for value in values:
        if value not in names:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(names)}")
    return [names[value] for value in values]
