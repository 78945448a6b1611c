"""The matrix products of a relation module behind the backbone: as its network computes them, and as exported.

In the code: t template tokens, n tokens that enter the module, k = n - t search tokens among them, w its width.
"""

from __future__ import annotations

from ...runtime.design import RelationKind, RelationModule
from ...runtime.network import NetworkGeometry
from .products import Kind, Norm, Product, attention, linear, mlp

RELATION = "relation"


def entering(geometry: NetworkGeometry) -> int:
    """Template and search tokens that enter the module."""
    return geometry.template_token_count + (geometry.search_token_count, *geometry.kept_counts)[-1]


def published_relation(geometry: NetworkGeometry) -> list[Product]:
    """Every row of both, positions computed anew; nothing without a module."""
    module = geometry.design.module
    if module is None:
        return []
    n, w = entering(geometry), module.width
    k = n - geometry.template_token_count
    if module.kind is RelationKind.STARK:
        found = [linear(RELATION, "bottleneck", n, geometry.width, w)]
        for _ in range(module.layers):
            found += [linear(RELATION, "qkv", n, w, 3 * w), *_rest(module, n, n)]
        return found
    found = _positions(geometry, module, n, n)
    for _ in range(module.layers):
        found += [linear(RELATION, "qkv", n, w, 3 * w), *_rest(module, n, n)]
    return found + _positions(geometry, module, k, n) + _decoder(module, k, n)


def published_relation_norms(geometry: NetworkGeometry) -> list[Norm]:
    """LayerNorms of the module: two a layer; of SwinTrack's also the positions', the decoder's three and the last."""
    module = geometry.design.module
    if module is None:
        return []
    n, w = entering(geometry), module.width
    k = n - geometry.template_token_count
    rows = [n] * 2 * module.layers
    if module.kind is RelationKind.SWINTRACK:
        rows += [geometry.token_count] * 2 + [k, n, k, k]
    return [Norm(RELATION, count * w) for count in rows]


def template_relation(geometry: NetworkGeometry) -> list[Product]:
    """What the template graph executes, behind a backbone of two streams: the template's rows in the first layer."""
    module = geometry.design.module
    if module is None or geometry.joint_blocks:
        return []
    t, w = geometry.template_token_count, module.width
    found = [linear(RELATION, "qkv", t, w, 3 * w)]
    return [linear(RELATION, "bottleneck", t, geometry.width, w), *found] if _is_stark(module) else found


def search_relation(geometry: NetworkGeometry) -> list[Product]:
    """What the search graph executes: no positions, no template rows that are known or that nobody reads."""
    module = geometry.design.module
    if module is None:
        return []
    n, w, t = entering(geometry), module.width, geometry.template_token_count
    k, known = n - t, 0 if geometry.joint_blocks else t
    found = [linear(RELATION, "bottleneck", n - known, geometry.width, w)] if _is_stark(module) else []
    for layer in range(module.layers):
        rows = n - (known if layer == 0 else 0)
        if _is_stark(module) and layer == module.layers - 1:
            found += [linear(RELATION, "q", k, w, w), linear(RELATION, "kv", rows, w, 2 * w), *_rest(module, k, n)]
        else:
            found += [linear(RELATION, "qkv", rows, w, 3 * w), *_rest(module, n, n)]
    return found if _is_stark(module) else found + _decoder(module, k, n)


def _is_stark(module: RelationModule) -> bool:
    return module.kind is RelationKind.STARK


def _rest(module: RelationModule, rows: int, tokens: int) -> list[Product]:
    """Attention, projection and MLP of `rows` queries over `tokens` keys and values."""
    w = module.width
    found = attention(RELATION, rows, tokens, w // module.heads, module.heads)
    return [*found, linear(RELATION, "projection", rows, w, w), *mlp(RELATION, rows, w, module.mlp_width)]


def _decoder(module: RelationModule, rows: int, tokens: int) -> list[Product]:
    w = module.width
    found = [linear(RELATION, "q", rows, w, w), linear(RELATION, "kv", tokens, w, 2 * w)]
    return found + _rest(module, rows, tokens)


def _positions(geometry: NetworkGeometry, module: RelationModule, rows: int, tokens: int) -> list[Product]:
    """Queries and keys of every position, and their product; of all of them where no candidate is dropped."""
    w, count = module.width, geometry.token_count
    if tokens == count:
        rows = count
    return [
        linear(RELATION, "queries of positions", count, w, w),
        linear(RELATION, "keys of positions", count, w, w),
        Product(RELATION, Kind.POSITION, "positions", rows, w // module.heads, tokens, module.heads),
    ]
