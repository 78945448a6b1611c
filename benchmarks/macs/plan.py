"""Every matrix product of a network, as published and as the exported graphs execute it: integers, from the geometry.

In the code: t template tokens, s search tokens, n tokens that enter a block (t + the search tokens left there), c the
width, d the width of an attention head, m the MLP's width, k the head's. A convolution counts as the product of its
unfolded inputs with its weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...runtime.network import NetworkGeometry, TemplateTokens
from .products import (
    BRANCH_OUTPUTS,
    HEAD,
    PATCHES,
    PIXELS,
    TAPS,
    Kind,
    Norm,
    Product,
    attention,
    linear,
    mlp,
    total,
)
from .relation import RELATION, published_relation, published_relation_norms, search_relation, template_relation


@dataclass(frozen=True)
class Saving:
    """Multiply-adds that the search graph does without, compared with the published network; negative: it adds them."""

    item: str
    macs: int


@dataclass(frozen=True)
class BlockTokens:
    """Search tokens that enter block `number` (n) and that leave it (k); whether it treats the template apart."""

    number: int
    entering: int
    kept: int
    separate: bool = False

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
        yield BlockTokens(number, entering, kept, number < geometry.separate_blocks)
        entering = kept


def stages(geometry: NetworkGeometry) -> list[str]:
    module = [RELATION] if geometry.design.module else []
    return [PATCHES, *(b.stage for b in blocks(geometry)), *module, HEAD]


def final_tokens(geometry: NetworkGeometry) -> int:
    """Search tokens left after the last block."""
    return (geometry.search_token_count, *geometry.kept_counts)[-1]


def zero_rows(geometry: NetworkGeometry) -> int:
    """Where tokens were dropped, the head's first convolutions get one row of zeros that stands for them all."""
    return 1 if geometry.eliminations else 0


def published_products(geometry: NetworkGeometry) -> list[Product]:
    """What the network computes for every frame, elimination between a block's attention and its MLP."""
    t, s, c = geometry.template_token_count, geometry.search_token_count, geometry.width
    products = [linear(PATCHES, "template", t, PIXELS, c), linear(PATCHES, "search", s, PIXELS, c)]
    for block in blocks(geometry):
        n, name = t + block.entering, block.stage
        products.append(linear(name, "qkv", n, c, 3 * c))
        for rows in (t, block.entering) if block.separate else (n,):
            products += _attention(geometry, name, rows, rows)
        products += [linear(name, "projection", n, c, c), *_mlp(geometry, name, t + block.kept)]
    products += published_relation(geometry)
    first = [_convolution("joined first convolutions", s, geometry.head_inputs, geometry.head_width)]
    return products + first * len(BRANCH_OUTPUTS) + _head_after_first(geometry)


def published_norms(geometry: NetworkGeometry) -> list[Norm]:
    """The network's norms; the backbone's final LayerNorm is booked with the last block."""
    t, c, found = geometry.template_token_count, geometry.width, []
    for block in blocks(geometry):
        found += [Norm(block.stage, (t + block.entering) * c), Norm(block.stage, (t + block.kept) * c)]
    found.append(Norm(f"block {geometry.depth - 1}", (t + final_tokens(geometry)) * c))
    found += published_relation_norms(geometry)
    widths = [geometry.head_width // 2**i for i in range(4)]
    return found + [Norm(HEAD, geometry.search_token_count * w) for w in widths] * len(BRANCH_OUTPUTS)


def template_graph_products(geometry: NetworkGeometry) -> list[Product]:
    """What the exported template graph executes, once per target: its patches, the blocks that treat it apart, and its
    queries, keys and values in the first layer that does not."""
    t, c = geometry.template_token_count, geometry.width
    products = [linear(PATCHES, "template", t, PIXELS, c)]
    for block in blocks(geometry):
        if block.separate:
            products.append(linear(block.stage, "qkv", t, c, 3 * c))
            products += [*_attention(geometry, block.stage, t, t), linear(block.stage, "projection", t, c, c)]
            products += _mlp(geometry, block.stage, t)
        elif block.number == geometry.separate_blocks > 0:
            products.append(linear(block.stage, "qkv", t, c, 3 * c))
    return products + template_relation(geometry)


def search_graph_products(geometry: NetworkGeometry) -> list[Product]:
    """What the exported search graph executes for every frame.

    Candidates are ranked before a block's attention, so that a dropped one gets keys and values and nothing else; the
    last block computes search tokens alone, unless a relation module reads the others; blocks that treat template and
    search apart have no template in them, and the first that does not finds its queries, keys and values made; the
    head's first convolutions read kept tokens alone, the others are zeros.
    """
    t, c = geometry.template_token_count, geometry.width
    products = [linear(PATCHES, "search", geometry.search_token_count, PIXELS, c)]
    for block in blocks(geometry):
        template = 0 if block.separate else t
        n, name, last = template + block.entering, block.stage, _searches_only(geometry, block)
        known = t if block.number == geometry.separate_blocks > 0 else 0
        rows = block.kept if last else template + block.kept
        if last and not block.eliminates:
            products += [linear(name, "q", rows, c, c), linear(name, "kv", n - known, c, 2 * c)]
        else:
            products.append(linear(name, "qkv", n - known, c, 3 * c))
        if block.eliminates:
            products += _ranking(geometry, block)
        products += _attention(geometry, name, rows, n)
        products += [linear(name, "projection", rows, c, c), *_mlp(geometry, name, rows)]
    products += search_relation(geometry)
    joined = len(BRANCH_OUTPUTS) * geometry.head_width
    rows = final_tokens(geometry) + zero_rows(geometry)
    products.append(_convolution("joined first convolutions", rows, geometry.head_inputs, joined))
    return products + _head_after_first(geometry)


def savings(geometry: NetworkGeometry) -> list[Saving]:
    """What the search graph leaves out: every published matmul minus these is what it executes, to the integer."""
    t, s, c, m = (geometry.template_token_count, geometry.search_token_count, geometry.width, geometry.mlp_width)
    attended = projection = ranking = last = apart = first = 0
    for block in blocks(geometry):
        n, dropped = t + block.entering, block.entering - block.kept
        attended += 2 * dropped * n * c
        projection += dropped * c * c
        if block.separate:
            apart += t * (4 * c * c + 2 * t * c + 2 * c * m)
        if block.eliminates:
            ranking += total(_ranking(geometry, block))
        if block.number == geometry.separate_blocks > 0:
            first += 3 * t * c * c
        if _searches_only(geometry, block):
            # Ranking needs the template's queries, so a last block that eliminates saves everything but those; a last
            # block that is the first of its kind too finds them made.
            queries = 0 if block.eliminates or (first == 3 * t * c * c and geometry.joint_blocks == 1) else t * c * c
            last = queries + 2 * t * n * c + t * c * c + 2 * t * c * m
    empty = s - final_tokens(geometry) - zero_rows(geometry)
    made, left = published_relation(geometry), search_relation(geometry)
    positions = total(p for p in made if "position" in p.part)
    found = [
        Saving("template's patch embedding, once per target", t * PIXELS * c),
        Saving("template in the blocks that treat it apart, once per target", apart),
        Saving("template in the first block that relates both, once per target", first),
        Saving("attention rows of the candidates that a block drops", attended),
        Saving("projection of the candidates that a block drops", projection),
        Saving("template tokens in the last block", last),
        Saving("relation module: positions, constants in the graph", positions),
        Saving("relation module: template rows, known or never read", total(made) - total(left) - positions),
        Saving(
            "head's first convolutions on dropped positions",
            empty * geometry.head_inputs * TAPS * len(BRANCH_OUTPUTS) * geometry.head_width,
        ),
        Saving("added: ranking rows computed ahead of the attention", -ranking),
    ]
    return [saving for saving in found if saving.macs]


def _searches_only(geometry: NetworkGeometry, block: BlockTokens) -> bool:
    """Whether nobody reads a block's template tokens."""
    return block.number == geometry.depth - 1 and not block.separate and geometry.design.module is None


def _convolution(part: str, positions: int, inputs: int, outputs: int, taps: int = TAPS) -> Product:
    return Product(HEAD, Kind.CONVOLUTION, part, positions, inputs * taps, outputs)


def _mlp(geometry: NetworkGeometry, stage: str, rows: int) -> list[Product]:
    return mlp(stage, rows, geometry.width, geometry.mlp_width)


def _attention(geometry: NetworkGeometry, stage: str, rows: int, tokens: int) -> list[Product]:
    return attention(stage, rows, tokens, geometry.head_dim, geometry.heads)


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
