"""Which design a checkpoint is of: from the names and shapes of its tensors, and what only its writer can say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..runtime.design import Design, RelationKind, RelationModule
from ..runtime.errors import CheckpointError, GeometryError, OSTrackEdgeError
from ..runtime.network import NetworkGeometry
from .model.relative import relative_position_index
from .variants import HEAD_DIM, STARK_HEAD_DIM

_NOTHING = "nothing beside the published network"
_IDENTITY = "backbone.template_segment_pos_embed"
_RELATIVE = "backbone.blocks.0.attn.relative_position_bias_table"
_INDEX = ".attn.relative_position_index"
"""A buffer of the published code, which never changes: no weight of ours."""


def design_of(
    tensors: Mapping[str, Tensor], path: Path, wanted: Design | None = None, stored: NetworkGeometry | None = None
) -> Design:
    """The design that the tensors show.

    How many blocks relate template and search leaves no trace in them: `wanted` (a variant's design) says it, or else
    `stored` (a safetensors file's geometry). Embeddings that `wanted` does not ask for are taken as they are found.
    Raises CheckpointError where the tensors lack what is wanted, or hold another relation module; GeometryError where
    a relation module is there and nobody says how the blocks before it are used.
    """
    said = wanted if wanted is not None else stored.design if stored is not None else None
    shown = Design(
        identity_embeddings=_IDENTITY in tensors,
        relative_positions=_RELATIVE in tensors,
        relation_layers=said.relation_layers if said is not None else None,
        module=_module(tensors, path, stored),
    )
    if said is None and shown.module is not None:
        raise GeometryError(
            f"{path} has a relation module, and its tensors do not say whether the blocks before it treat template and "
            "search apart; name its variant"
        )
    if wanted is not None and not _holds(shown, wanted):
        # Of the blocks' use the tensors say nothing.
        held = dataclasses.replace(shown, relation_layers=None).in_words or _NOTHING
        raise CheckpointError(f"{path} is of another design: it holds {held}; wanted is {wanted.in_words or _NOTHING}")
    return shown


def without_relative_index(tensors: dict[str, Tensor], geometry: NetworkGeometry, path: Path) -> dict[str, Tensor]:
    """The tensors without the published code's indices of relative positions. Raises CheckpointError where one is
    another than ours, as its biases would be another's."""
    found = {name: value for name, value in tensors.items() if name.endswith(_INDEX)}
    if not found or not geometry.design.relative_positions:
        return tensors
    index = relative_position_index(geometry.template_grid, geometry.search_grid)
    for name, value in found.items():
        if value.shape != index.shape or not torch.equal(value.to(torch.int64), index):
            raise CheckpointError(f"{path}: {name} numbers relative positions otherwise than the published code does")
    return {name: value for name, value in tensors.items() if name not in found}


def _module(tensors: Mapping[str, Tensor], path: Path, stored: NetworkGeometry | None) -> RelationModule | None:
    names = [name for name in tensors if name.startswith("relation.layers.")]
    if not names:
        return None
    layers = 1 + max((int(n.split(".")[2]) for n in names if n.split(".")[2].isdecimal()), default=0)
    stark = "relation.bottleneck.weight" in tensors
    width_of = "relation.bottleneck.weight" if stark else "relation.layers.0.attn.proj.weight"
    hidden_of = "relation.layers.0.fc1.weight" if stark else "relation.layers.0.mlp.fc1.weight"
    missing = [name for name in (width_of, hidden_of) if name not in tensors or tensors[name].ndim != 2]
    if missing:
        raise CheckpointError(f"{path} does not hold this network: {missing[0]} is missing or misshapen")
    width, hidden = tensors[width_of].shape[0], tensors[hidden_of].shape[0]
    if stored is not None and stored.design.module is not None:
        heads = stored.design.module.heads
    else:
        # SwinTrack's table has a row per head.
        table = tensors.get("relation.positions.relative_position_bias_table")
        by_width = max(1, width // (STARK_HEAD_DIM if stark else HEAD_DIM))
        heads = by_width if stark or table is None else table.shape[0]
    try:
        kind = RelationKind.STARK if stark else RelationKind.SWINTRACK
        return RelationModule(kind, layers, width, heads, hidden)
    except OSTrackEdgeError as error:
        raise GeometryError(f"{path}: {error}") from None


def _holds(shown: Design, wanted: Design) -> bool:
    kinds = [design.module.kind if design.module else None for design in (shown, wanted)]
    return (
        kinds[0] is kinds[1]
        and shown.identity_embeddings >= wanted.identity_embeddings
        and shown.relative_positions >= wanted.relative_positions
    )
