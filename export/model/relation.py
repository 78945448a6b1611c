"""Relation modules behind the backbone, by their kind."""

from __future__ import annotations

from ...runtime.design import RelationKind
from ...runtime.network import NetworkGeometry
from .stark import StarkRelation
from .swintrack import SwinTrackRelation

Relation = StarkRelation | SwinTrackRelation
"""From tokens [B, T + n, C] and their places (int64 [B, T + n], or None for all in order) to [B, n, W]."""


def make_relation(geometry: NetworkGeometry) -> Relation | None:
    """The relation module that a geometry asks for, None where there is none."""
    module = geometry.design.module
    if module is None:
        return None
    return {RelationKind.STARK: StarkRelation, RelationKind.SWINTRACK: SwinTrackRelation}[module.kind](geometry, module)
