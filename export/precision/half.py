"""From an FP32 graph to a typed FP16 graph.

Every node computes in half but those named here, each for a reason:

- the ranking of candidates, whose neighbours differ by less than half a half's last digit;
- decoding, whose cells and sizes are the answer, and the values that leave the graph;
- nodes whose values come too near to the largest half (see `guard`).

Casts stand where the two meet. Constants are rounded once, and a constant that half cannot hold as well as its largest
value is refused, never flushed to zero in silence.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ...runtime.errors import ExportError
from ..passes import MAP_NAMES
from .values import Values

FULL_TENSORS = frozenset({"window", "template_box", "template_weights", "box", "score", *MAP_NAMES})
"""Inputs and outputs that stay FP32 in every precision; other float ones, what is cached of a target, follow it."""

HALF_MAX = 65504.0
_UNIT = 2.0**-11
"""Half's relative rounding error."""

_KIND: dict[int, str] = {TensorProto.FLOAT16: "half", TensorProto.FLOAT: "full"}

_MOVES = frozenset({"Gather", "Reshape", "Transpose", "Slice", "Split", "Squeeze", "Unsqueeze", "Expand"})
"""Operators that change no number."""


def to_half(model: ModelProto, guarded: Collection[str] = ()) -> ModelProto:
    """A new model that computes in FP16; the nodes named in `guarded` stay in FP32 beside those above.

    Raises ExportError for a constant that half cannot hold.
    """
    return _Conversion(model, set(guarded)).run()


def full_nodes(values: Values) -> set[str]:
    """Names of the nodes that compute in FP32 in every precision: ranking and decoding."""
    nodes = {node.name: node for node in values.producer.values()}
    decode = values.downstream([*MAP_NAMES, "window"])
    activations = {node.name for name in MAP_NAMES for node in _activations(values, name)}
    ranks = {node.name for node in nodes.values() if node.op_type == "TopK"}
    ranking = values.leading_only_to(ranks, [nodes[name].input[0] for name in ranks])
    for node in nodes.values():
        # What only moves numbers on their way in moves halves, of which there are fewer bytes.
        makers = [
            values.producer[name].name for name in node.input if values.is_float(name) and name in values.producer
        ]
        if node.name in ranking and node.op_type in _MOVES and makers and not ranking.intersection(makers):
            ranking.remove(node.name)
    weights: set[str] = set()
    if "template_weights" in values.producer:
        last = values.producer["template_weights"]
        weights = {last.name} | values.leading_only_to({last.name}, last.input)
    return decode | activations | ranks | ranking | weights


def _activations(values: Values, name: str) -> list[NodeProto]:
    """The element-wise nodes right before a map."""
    found = []
    while name in values.producer and values.producer[name].op_type in ("Sigmoid", "Clip"):
        found.append(values.producer[name])
        name = found[-1].input[0]
    return found


class _Conversion:
    def __init__(self, model: ModelProto, guarded: set[str]) -> None:
        self._model = ModelProto()
        self._model.CopyFrom(model)
        self._values = Values(self._model)
        self._full = full_nodes(self._values) | guarded
        self._halves: dict[str, str] = {}
        """Constants by name, and what their half is called."""
        self._casts: dict[tuple[str, int], str] = {}
        self._nodes: list[NodeProto] = []
        self._types = dict(self._values.types)
        self._constants: list[TensorProto] = []

    def run(self) -> ModelProto:
        graph = self._model.graph
        for value in graph.input:
            if self._values.is_float(value.name) and value.name not in FULL_TENSORS:
                self._types[value.name] = value.type.tensor_type.elem_type = TensorProto.FLOAT16
        for node in list(graph.node):
            self._convert(node)
        self._finish_outputs()
        nodes = [type(node).FromString(node.SerializeToString()) for node in self._nodes]
        del graph.node[:]
        graph.node.extend(nodes)
        used = {name for node in graph.node for name in node.input}
        constants = [w for w in (*graph.initializer, *self._constants) if w.name in used]
        constants = [type(w).FromString(w.SerializeToString()) for w in constants]
        del graph.initializer[:]
        graph.initializer.extend(constants)
        for value in graph.value_info:
            value.type.tensor_type.elem_type = self._types[value.name]
        return self._model

    def _convert(self, node: NodeProto) -> None:
        wanted = TensorProto.FLOAT if node.name in self._full else TensorProto.FLOAT16
        for place, name in enumerate(node.input):
            if name and self._values.is_float(name) and node.op_type != "Cast":
                is_scale = place == 1 and node.op_type in ("QuantizeLinear", "DequantizeLinear")
                node.input[place] = self._as(name, wanted, is_scale)
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = wanted
            constant = attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT
            if constant and wanted == TensorProto.FLOAT16:
                attribute.t.CopyFrom(half_constant(attribute.t, node.name))
        for name in node.output:
            if self._values.is_float(name):
                self._types[name] = wanted
        self._nodes.append(node)

    def _as(self, name: str, wanted: int, is_scale: bool) -> str:
        """The name under which the value is there in the wanted type."""
        if self._types[name] == wanted:
            return name
        if name in self._values.constants:
            return self._half_constant(name, is_scale)
        key = (name, wanted)
        if key not in self._casts:
            self._casts[key] = self._cast(name, f"{name}/{_KIND[wanted]}", wanted)
        return self._casts[key]

    def _cast(self, name: str, result: str, wanted: int) -> str:
        source = self._values.producer.get(name)
        label = f"{source.name if source is not None else name}/to_{_KIND[wanted]}"
        self._nodes.append(helper.make_node("Cast", [name], [result], name=label, to=wanted))
        self._types[result] = wanted
        return result

    def _half_constant(self, name: str, is_scale: bool) -> str:
        if name not in self._halves:
            half = half_constant(self._values.constants[name], name, is_scale)
            both = any(node.name in self._full for node in self._values.consumers[name])
            half.name = f"{name}/half" if both else name
            if not both:
                self._values.constants[name].CopyFrom(half)
            else:
                self._constants.append(half)
            self._halves[name] = half.name
            self._types[half.name] = TensorProto.FLOAT16
        return self._halves[name]

    def _finish_outputs(self) -> None:
        """Outputs and maps keep their name; they are FP32 where the contract says so, and other outputs half."""
        for value in (*self._model.graph.output, *self._model.graph.value_info):
            name = value.name
            if not self._values.is_float(name):
                continue
            if name in FULL_TENSORS and self._types[name] == TensorProto.FLOAT16:
                self._rename_producer(name, TensorProto.FLOAT)
            elif name in self._values.outputs and name not in FULL_TENSORS and self._types[name] == TensorProto.FLOAT:
                # A guarded node made it; the other graph takes it in half all the same.
                self._rename_producer(name, TensorProto.FLOAT16)
            value.type.tensor_type.elem_type = self._types[name]

    def _rename_producer(self, name: str, wanted: int) -> None:
        """Move a value that is computed in the other type to another name, and give its name to the cast of it."""
        inner = f"{name}/computed"
        cast = self._casts.pop((name, wanted), None)
        for node in self._nodes:
            for names in (node.input, node.output):
                for place, old in enumerate(names):
                    if old == name:
                        names[place] = inner
                    elif cast is not None and old == cast:
                        names[place] = name
        if cast is None:
            label = f"{name}/to_{_KIND[wanted]}"
            self._nodes.append(helper.make_node("Cast", [inner], [name], name=label, to=wanted))
        self._types[name] = wanted


def half_constant(constant: TensorProto, name: str, is_scale: bool = False) -> TensorProto:
    """The constant in half. Raises ExportError where that loses more than rounding its largest value does.

    is_scale: of Q/DQ, which quantises and gives back by the same rounded number: it only must not become zero.
    """
    values = numpy_helper.to_array(constant)
    largest = float(np.abs(values).max(initial=0.0))
    if not largest <= HALF_MAX:
        raise ExportError(f"{name} holds {largest:.4g}, more than FP16 can ({HALF_MAX:g}); build this network in fp32")
    half = values.astype(np.float16)
    lost = float(np.abs(half.astype(np.float64) - values).max(initial=0.0))
    if bool((half[values != 0] == 0).any()) if is_scale else lost > _UNIT * largest:
        raise ExportError(
            f"{name} holds values down to {float(np.abs(values[values != 0]).min()):.3g}, which FP16 would lose; "
            "build this network in fp32"
        )
    return numpy_helper.from_array(half, constant.name)
