"""Who makes and who reads each value of a graph, and of what type it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from onnx import ModelProto, NodeProto, TensorProto, shape_inference

from ...runtime.errors import ExportError

FLOAT_TYPES = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16})


class Values:
    """An index of one graph; it does not follow later changes."""

    def __init__(self, model: ModelProto) -> None:
        """Raises ExportError where the type of a value cannot be told."""
        graph = model.graph
        self.producer: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.consumers[name].append(node)
        self.constants = {w.name: w for w in graph.initializer}
        self.outputs = [o.name for o in graph.output]
        self.types = _types(model)
        missing = [name for name in self.producer if name not in self.types]
        if missing:
            raise ExportError(f"the graph does not say of what type {', '.join(missing[:3])} is")

    def is_float(self, name: str) -> bool:
        return self.types.get(name) in FLOAT_TYPES

    def readers(self, node: NodeProto) -> list[NodeProto]:
        """The nodes that read any of the node's results."""
        return [reader for name in node.output for reader in self.consumers[name]]

    def downstream(self, names: Iterable[str]) -> set[str]:
        """Names of the nodes that depend on any of these values."""
        found: set[str] = set()
        queue = [reader for name in names for reader in self.consumers[name]]
        while queue:
            node = queue.pop()
            if node.name not in found:
                found.add(node.name)
                queue += self.readers(node)
        return found

    def leading_only_to(self, ends: set[str], names: Iterable[str]) -> set[str]:
        """Names of the nodes that make the values `names`, and whose every result is read, directly or through others
        of them, by the nodes `ends` alone."""
        found: set[str] = set()
        queue = [self.producer[name] for name in names if name in self.producer]
        while queue:
            node = queue.pop()
            readers = self.readers(node)
            if node.name in found or any(reader.name not in ends | found for reader in readers):
                continue
            if set(node.output).intersection(self.outputs) and node.name not in ends:
                continue
            found.add(node.name)
            queue += [self.producer[name] for name in node.input if name in self.producer]
        return found


def _types(model: ModelProto) -> dict[str, int]:
    found = _known_types(model)
    if any(name not in found for node in model.graph.node for name in node.output):
        found = _known_types(shape_inference.infer_shapes(model))
    return found


def _known_types(model: ModelProto) -> dict[str, int]:
    graph = model.graph
    types: dict[str, int] = {w.name: w.data_type for w in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    return types
