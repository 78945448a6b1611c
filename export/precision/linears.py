"""The parts of a graph that INT8 is about: the blocks' Linears, and the attention's two products."""

from __future__ import annotations

from typing import NamedTuple

from onnx import ModelProto, NodeProto

from .half import full_nodes
from .values import Values

_LEFT_FLOAT = ("embed", "head")
"""Modules whose products stay float in every recipe: the head's scores suffer, and 7 bits of patch weights cost the
default model more agreement than its other Linears together."""


class Linear(NamedTuple):
    """A product with a constant weight. name: its module's, as `blocks.3.qkv`; node: the product's; data, weight: its
    inputs' names; add, bias: the node that adds the bias, and the constant, empty where there is none."""

    name: str
    node: str
    data: str
    weight: str
    add: str = ""
    bias: str = ""


class Attention(NamedTuple):
    """One softmax attention: the values that enter and leave its two products, by name.

    queries and keys enter the first, weights (after the softmax) and values the second; output leaves it.
    """

    name: str
    queries: str
    keys: str
    weights: str
    values: str
    output: str


def linears(model: ModelProto) -> list[Linear]:
    """The blocks' Linears in the graph's order."""
    matrices = {w.name for w in model.graph.initializer if len(w.dims) == 2}
    vectors = {w.name for w in model.graph.initializer if len(w.dims) == 1}
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = []
    for node in model.graph.node:
        module = node.name.rpartition("/")[0]
        if node.op_type == "MatMul" and node.input[1] in matrices and module.split(".")[0] not in _LEFT_FLOAT:
            bias = _bias(readers.get(node.output[0], []), vectors)
            found.append(Linear(module, node.name, node.input[0], node.input[1], *bias))
    return found


def _bias(readers: list[NodeProto], vectors: set[str]) -> tuple[str, str]:
    """The node that adds a bias to a product, and the bias."""
    if len(readers) == 1 and readers[0].op_type == "Add":
        for name in readers[0].input:
            if name in vectors:
                return readers[0].name, name
    return "", ""


def attentions(model: ModelProto) -> list[Attention]:
    """The attentions in the graph's order, without the rankings, which stay FP32."""
    values = Values(model)
    full = full_nodes(values)
    found = []
    for node in model.graph.node:
        if node.op_type != "Softmax" or node.name in full:
            continue
        product = _product_before(values, node)
        readers = [n for n in values.consumers[node.output[0]] if n.op_type == "MatMul"]
        if product is None or len(readers) != 1:
            continue
        after = readers[0]
        module = node.name.rpartition("/")[0]
        found.append(
            Attention(module, product.input[0], product.input[1], node.output[0], after.input[1], after.output[0])
        )
    return found


def _product_before(values: Values, softmax: NodeProto) -> NodeProto | None:
    """The product whose result the softmax reads, at once or after a bias was added to it."""
    node = values.producer.get(softmax.input[0])
    while node is not None and node.op_type in ("Add", "Mul"):
        node = next((values.producer[n] for n in node.input if n in values.producer), None)
    return node if node is not None and node.op_type == "MatMul" else None
