"""FP16 and INT8 as a GPU computes them, on a CPU.

ONNX Runtime's CPU kernels compute FP16 nodes in FP32 inside, so a graph that overflows in half gives finite numbers
there. Here the typed graph becomes an FP32 graph in which every result of an FP16 node is rounded to half and back;
explicit Q/DQ nodes stay as they are and run in float, which is what an INT8 engine's arithmetic gives.
"""

from __future__ import annotations

from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from .values import Values

HALF, FULL = TensorProto.FLOAT16, TensorProto.FLOAT


def emulated(model: ModelProto) -> ModelProto:
    """A new FP32 model that rounds where the typed one does."""
    source = ModelProto()
    source.CopyFrom(model)
    values, graph = Values(source), source.graph
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes += _rounding(node, values)
    for constant in graph.initializer:
        if constant.data_type == HALF:
            constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant).astype("float32"), constant.name))
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == HALF:
            value.type.tensor_type.elem_type = FULL
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return source


def _rounding(node: NodeProto, values: Values) -> list[NodeProto]:
    """The node in FP32, and the rounding of its half results."""
    _retype(node)
    if node.op_type == "Cast" and values.types[node.output[0]] == FULL and values.types[node.input[0]] == HALF:
        return [helper.make_node("Identity", list(node.input), list(node.output), name=node.name)]
    added = []
    for place, name in enumerate(node.output):
        if name and values.types[name] == HALF:
            exact, rounded = f"{name}/exact", f"{name}/rounded"
            node.output[place] = exact
            added.append(helper.make_node("Cast", [exact], [rounded], name=f"{node.name}/round_{place}", to=HALF))
            added.append(helper.make_node("Cast", [rounded], [name], name=f"{node.name}/back_{place}", to=FULL))
    return [node, *added]


def _retype(node: NodeProto) -> None:
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == HALF:
            attribute.i = FULL
        if attribute.name == "value" and attribute.t.data_type == HALF:
            array = numpy_helper.to_array(attribute.t).astype("float32")
            attribute.t.CopyFrom(numpy_helper.from_array(array, attribute.t.name))
