"""Every matrix product of a network, as published and as the exported graphs execute it: integers, from the geometry.

In the code: t template tokens, s search tokens, n tokens that enter a block (t + the search tokens left there), c the
width, d the width of an attention head, m the MLP's width, k the head's. A convolution counts as the product of its
unfolded inputs with its weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from ...runtime.network import PATCH, NetworkGeometry, TemplateTokens

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


@dataclass(frozen=True)
class Saving:
    """Multiply-adds that the search graph does without, compared with the published network; negative: it adds them."""

    item: str
    macs: int


@dataclass(frozen=True)
class BlockTokens:
    """Search tokens that enter block `number` (n) and that leave it (k)."""

    number: int
    entering: int
    kept: int

    @property
    def stage(self) -> str:
        return f"block {self.number}"

    @property
    def eliminates(self) -> bool:
        return self.kept < self.entering


def blocks(geometry: NetworkGeometry) -> Iterator[BlockTokens]:
    entering = geometry.search_token_count
    for number in range(geometry.depth):
        kept = geometry.eliminations.get(number, entering)
        yield BlockTokens(number, entering, kept)
        entering = kept


def stages(geometry: NetworkGeometry) -> list[str]:
    return [PATCHES, *(b.stage for b in blocks(geometry)), HEAD]


def final_tokens(geometry: NetworkGeometry) -> int:
    """Search tokens left after the last block."""
    return (geometry.search_token_count, *geometry.kept_counts)[-1]


def zero_rows(geometry: NetworkGeometry) -> int:
    """Where tokens were dropped, the head's first convolutions get one row of zeros that stands for them all."""
    return 1 if geometry.eliminations else 0


def total(products: Iterable[Product]) -> int:
    return sum(p.macs for p in products)


def published_products(geometry: NetworkGeometry) -> list[Product]:
    """What the published network computes for every frame, elimination between a block's attention and its MLP."""
    t, s, c = geometry.template_token_count, geometry.search_token_count, geometry.width
    products = [_linear(PATCHES, "template", t, PIXELS, c), _linear(PATCHES, "search", s, PIXELS, c)]
    for block in blocks(geometry):
        n, name = t + block.entering, block.stage
        products += [_linear(name, "qkv", n, c, 3 * c), *_attention(geometry, name, n, n)]
        products += [_linear(name, "projection", n, c, c), *_mlp(geometry, name, t + block.kept)]
    first = [_convolution("joined first convolutions", s, c, geometry.head_width)] * len(BRANCH_OUTPUTS)
    return products + first + _head_after_first(geometry)


def published_norms(geometry: NetworkGeometry) -> list[Norm]:
    """The published network's norms; the final LayerNorm is booked with the last block."""
    t, c, found = geometry.template_token_count, geometry.width, []
    for block in blocks(geometry):
        found += [Norm(block.stage, (t + block.entering) * c), Norm(block.stage, (t + block.kept) * c)]
    found.append(Norm(f"block {geometry.depth - 1}", (t + final_tokens(geometry)) * c))
    widths = [geometry.head_width // 2**i for i in range(4)]
    return found + [Norm(HEAD, geometry.search_token_count * w) for w in widths] * len(BRANCH_OUTPUTS)


def template_graph_products(geometry: NetworkGeometry) -> list[Product]:
    """What the exported template graph executes, once per target."""
    return [_linear(PATCHES, "template", geometry.template_token_count, PIXELS, geometry.width)]


def search_graph_products(geometry: NetworkGeometry) -> list[Product]:
    """What the exported search graph executes for every frame.

    Candidates are ranked before a block's attention, so that a dropped one gets keys and values and nothing else; the
    last block computes search tokens alone; the head's first convolutions read kept tokens alone, the others are zeros.
    """
    c, last = geometry.width, geometry.depth - 1
    products = [_linear(PATCHES, "search", geometry.search_token_count, PIXELS, c)]
    for block in blocks(geometry):
        n, name = geometry.template_token_count + block.entering, block.stage
        rows = block.kept if block.number == last else geometry.template_token_count + block.kept
        if block.number == last and not block.eliminates:
            products += [_linear(name, "q", rows, c, c), _linear(name, "kv", n, c, 2 * c)]
        else:
            products.append(_linear(name, "qkv", n, c, 3 * c))
        if block.eliminates:
            products += _ranking(geometry, block)
        products += _attention(geometry, name, rows, n)
        products += [_linear(name, "projection", rows, c, c), *_mlp(geometry, name, rows)]
    joined = len(BRANCH_OUTPUTS) * geometry.head_width
    rows = final_tokens(geometry) + zero_rows(geometry)
    products.append(_convolution("joined first convolutions", rows, c, joined))
    return products + _head_after_first(geometry)


def savings(geometry: NetworkGeometry) -> list[Saving]:
    """What the search graph leaves out: every published matmul minus these is what it executes, to the integer."""
    t, s, c, m = (geometry.template_token_count, geometry.search_token_count, geometry.width, geometry.mlp_width)
    attention = projection = ranking = last = 0
    for block in blocks(geometry):
        n, dropped = t + block.entering, block.entering - block.kept
        attention += 2 * dropped * n * c
        projection += dropped * c * c
        if block.eliminates:
            ranking += total(_ranking(geometry, block))
        if block.number == geometry.depth - 1:
            # Ranking needs the template's queries, so a last block that eliminates saves everything but those.
            queries = 0 if block.eliminates else t * c * c
            last = queries + 2 * t * n * c + t * c * c + 2 * t * c * m
    empty = s - final_tokens(geometry) - zero_rows(geometry)
    found = [
        Saving("template's patch embedding, once per target", t * PIXELS * c),
        Saving("attention rows of the candidates that a block drops", attention),
        Saving("projection of the candidates that a block drops", projection),
        Saving("template tokens in the last block", last),
        Saving(
            "head's first convolutions on dropped positions",
            empty * c * TAPS * len(BRANCH_OUTPUTS) * geometry.head_width,
        ),
        Saving("added: ranking rows computed ahead of the attention", -ranking),
    ]
    return [saving for saving in found if saving.macs]


def _linear(stage: str, part: str, rows: int, inner: int, columns: int) -> Product:
    return Product(stage, Kind.LINEAR, part, rows, inner, columns)


def _convolution(part: str, positions: int, inputs: int, outputs: int, taps: int = TAPS) -> Product:
    return Product(HEAD, Kind.CONVOLUTION, part, positions, inputs * taps, outputs)


def _mlp(geometry: NetworkGeometry, stage: str, rows: int) -> list[Product]:
    c, m = geometry.width, geometry.mlp_width
    return [_linear(stage, "mlp in", rows, c, m), _linear(stage, "mlp out", rows, m, c)]


def _attention(geometry: NetworkGeometry, stage: str, rows: int, tokens: int) -> list[Product]:
    d, heads = geometry.head_dim, geometry.heads
    return [
        Product(stage, Kind.ATTENTION, "scores", rows, d, tokens, heads),
        Product(stage, Kind.ATTENTION, "values", rows, tokens, d, heads),
    ]


def _ranking(geometry: NetworkGeometry, block: BlockTokens) -> list[Product]:
    """Attention rows of the ranking template tokens; the target's box weighs all of them by one more product."""
    t, d, heads = geometry.template_token_count, geometry.head_dim, geometry.heads
    box = geometry.template_tokens is TemplateTokens.BOX
    rows = t if box else len(geometry.ranking_rows)
    found = [Product(block.stage, Kind.RANKING, "ranking rows", rows, d, t + block.entering, heads)]
    if box:
        found.append(Product(block.stage, Kind.RANKING, "mean over the box", 1, t, block.entering, heads))
    return found


def _head_after_first(geometry: NetworkGeometry) -> list[Product]:
    s, k = geometry.search_token_count, geometry.head_width
    found = []
    for outputs in BRANCH_OUTPUTS:
        found += [_convolution(f"convolution {i + 1}", s, k // 2 ** (i - 1), k // 2**i) for i in (1, 2, 3)]
        found.append(_convolution("convolution 5", s, k // 8, outputs, taps=1))
    return found
