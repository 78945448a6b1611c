"""Relation modules as they are exported, by their kind."""

from __future__ import annotations

from ..model.relation import Relation
from ..model.stark import StarkRelation
from .stark import StarkGraph, StarkTemplate
from .swintrack import SwinTrackGraph, SwinTrackTemplate


def relation_template(relation: Relation) -> StarkTemplate | SwinTrackTemplate:
    """What of a module depends on the template alone, behind a backbone of two streams."""
    return StarkTemplate(relation) if isinstance(relation, StarkRelation) else SwinTrackTemplate(relation)


def relation_graph(relation: Relation, drops: bool) -> StarkGraph | SwinTrackGraph:
    """What of a module runs every frame. drops: whether the backbone drops candidates."""
    return StarkGraph(relation) if isinstance(relation, StarkRelation) else SwinTrackGraph(relation, drops)
