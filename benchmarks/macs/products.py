"""Matrix products and norms, as the plan of a network lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ...runtime.network import PATCH

PATCHES = "patch embedding"
HEAD = "head"
PIXELS = 3 * PATCH * PATCH
"""Values of one patch."""
TAPS = 9
"""Positions of a 3x3 kernel."""
BRANCH_OUTPUTS = (1, 2, 2)
"""Channels that the head's branches end in: score, size, offset."""
NORM_OPERATIONS = 4
"""What the paper's counter books per element of an affine norm: subtract, divide, scale, shift."""


class Kind(str, Enum):
    LINEAR = "linear"
    ATTENTION = "attention"
    RANKING = "ranking"
    POSITION = "position"
    CONVOLUTION = "convolution"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Product:
    """`times` matrix products of [rows, inner] by [inner, columns] in one stage, for one sample."""

    stage: str
    kind: Kind
    part: str
    rows: int
    inner: int
    columns: int
    times: int = 1

    @property
    def macs(self) -> int:
        return self.rows * self.inner * self.columns * self.times


@dataclass(frozen=True)
class Norm:
    """A LayerNorm or BatchNorm over `elements` values."""

    stage: str
    elements: int


def total(products: Iterable[Product]) -> int:
    return sum(p.macs for p in products)


def linear(stage: str, part: str, rows: int, inner: int, columns: int) -> Product:
    return Product(stage, Kind.LINEAR, part, rows, inner, columns)


def mlp(stage: str, rows: int, width: int, hidden: int) -> list[Product]:
    return [linear(stage, "mlp in", rows, width, hidden), linear(stage, "mlp out", rows, hidden, width)]


def attention(stage: str, rows: int, tokens: int, head_dim: int, heads: int) -> list[Product]:
    """The two products of an attention: `rows` queries over `tokens` keys and values."""
    return [
        Product(stage, Kind.ATTENTION, "scores", rows, head_dim, tokens, heads),
        Product(stage, Kind.ATTENTION, "values", rows, tokens, head_dim, heads),
    ]
