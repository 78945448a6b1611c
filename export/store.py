"""Graphs as files of a bundle."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from ..runtime.bundle import file_sha256
from ..runtime.errors import ExportError
from ..runtime.manifest import GraphFile, GraphRole, Precision, Recipe
from .count import count_macs
from .precision.agree import Pair

_PROTOBUF_LIMIT = 2**31 - 1


def store_pair(
    pair: Pair,
    folder: Path,
    precision: Precision,
    recipe: Recipe = Recipe.PLAIN,
    kept_float: tuple[str, ...] = (),
    counted: Pair | None = None,
) -> tuple[GraphFile, GraphFile]:
    """Write both graphs into the subfolder `folder` of a bundle.

    counted: the FP32 pair, whose multiply-adds are theirs too. Raises ExportError for a graph that no file can hold.
    """
    roles = zip((GraphRole.TEMPLATE, GraphRole.SEARCH), pair, counted or pair, strict=True)
    first, second = (
        _store(model, folder, role, precision, recipe, kept_float, original) for role, model, original in roles
    )
    return first, second


def _store(
    model: ModelProto,
    folder: Path,
    role: GraphRole,
    precision: Precision,
    recipe: Recipe,
    kept_float: tuple[str, ...],
    counted: ModelProto,
) -> GraphFile:
    if model.ByteSize() > _PROTOBUF_LIMIT:
        raise ExportError(f"the {role} graph is larger than the 2 GiB that an ONNX file can hold")
    kind = str(precision) if recipe is Recipe.PLAIN else f"{precision}-{recipe}"
    path = folder / f"{role}.{kind}.onnx"
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return GraphFile(
        role=role,
        precision=precision,
        path=f"{folder.name}/{path.name}",
        sha256=file_sha256(path),
        bytes=path.stat().st_size,
        macs=sum(node.macs for node in count_macs(counted)),
        recipe=recipe,
        kept_float=kept_float,
    )
