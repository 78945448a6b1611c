"""Multiply-adds that an exported graph executes, counted from the ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import NamedTuple

import onnx
from onnx import ModelProto, NodeProto

from ..runtime.errors import ExportError
from .passes import value_shapes


class NodeMacs(NamedTuple):
    """One node's multiply-adds for one sample; `stage` is the part of the network: `embed`, `blocks.3`, `head`."""

    name: str
    op: str
    stage: str
    macs: int


def count_macs(source: Path | ModelProto) -> list[NodeMacs]:
    """Every node that multiplies matrices or convolves. A symbolic batch counts as one sample, a fixed one is
    divided out.

    Raises ExportError where a shape that is needed is not in the file.
    """
    model = onnx.load(source, load_external_data=False) if isinstance(source, Path) else source
    shapes = {name: [n if isinstance(n, int) else 1 for n in shape] for name, shape in value_shapes(model).items()}
    batch = next((shapes[i.name][0] for i in model.graph.input if i.name in ("search", "template")), 1)
    found = []
    for node in model.graph.node:
        if node.op_type not in _RULES:
            continue
        missing = [n for n in (*node.input[:2], node.output[0]) if n not in shapes]
        if missing:
            raise ExportError(f"{node.name}: the file does not say the shape of {', '.join(missing)}")
        macs = _RULES[node.op_type](node, shapes)
        # Symbolic sizes that are products of the batch were read as 1 above; fixed ones are whole multiples of it.
        found.append(NodeMacs(node.name, node.op_type, _stage(node.name), macs // max(batch, 1)))
    return found


def _matmul(node: NodeProto, shapes: dict[str, list[int]]) -> int:
    return prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: NodeProto, shapes: dict[str, list[int]]) -> int:
    transposed = next((a.i for a in node.attribute if a.name == "transA"), 0)
    return prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]


def _convolution(node: NodeProto, shapes: dict[str, list[int]]) -> int:
    return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])


_RULES: dict[str, Callable[[NodeProto, dict[str, list[int]]], int]] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _convolution,
}


def _stage(name: str) -> str:
    parts = name.split("/")[0].split(".")
    return ".".join(parts[:2]) if parts[0] == "blocks" else parts[0]
