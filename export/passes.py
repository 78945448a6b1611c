"""Clean-up of a traced graph: an ordered list of small passes, each ONNX model in, same model out."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

SCOPES = "pkg.torch.onnx.name_scopes"

MAP_NAMES = ("score_map", "size_map", "offset_map")
"""The values that hold the head's maps, among the outputs or not."""


def name_nodes(model: ModelProto) -> ModelProto:
    """Call each node by the module it came from and its operator, as in `blocks.3.qkv/MatMul`.

    Engines, profilers and the multiply-add count show these names.
    """
    used: Counter[str] = Counter()
    for node in model.graph.node:
        name = "/".join(filter(None, [_module(node), node.op_type]))
        used[name] += 1
        node.name = name if used[name] == 1 else f"{name}_{used[name]}"
    return model


def name_weights(model: ModelProto) -> ModelProto:
    """Call the anonymous weight of a Linear after its module."""
    weights = {w.name: w for w in model.graph.initializer}
    for node in model.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is not None and weight.name.startswith("val_"):
            _rename(model.graph, weight.name, f"{_module(node)}.weight")
    return model


def drop_idle_reshapes(model: ModelProto) -> ModelProto:
    """Remove Reshape and Squeeze nodes whose result has the shape of their input."""
    shapes = value_shapes(model)
    outputs = {o.name for o in model.graph.output}
    for node in list(model.graph.node):
        if node.op_type not in ("Reshape", "Squeeze", "Unsqueeze") or node.output[0] in outputs:
            continue
        before, after = shapes.get(node.input[0]), shapes.get(node.output[0])
        if before is not None and before == after and all(isinstance(n, int) for n in before):
            _reroute(model.graph, node.output[0], node.input[0])
            model.graph.node.remove(node)
    return model


def drop_unused(model: ModelProto) -> ModelProto:
    """Remove nodes, constants and shape notes that no output depends on."""
    graph = model.graph
    needed = {o.name for o in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    _replace(graph.node, kept[::-1])
    _replace(graph.initializer, [w for w in graph.initializer if w.name in needed])
    produced = {name for node in graph.node for name in node.output}
    _replace(graph.value_info, [v for v in graph.value_info if v.name in produced])
    return model


def strip_notes(model: ModelProto) -> ModelProto:
    """Remove the tracer's notes: they name files of the machine that exported, and weigh as much as a small network."""
    for item in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    return model


PASSES: tuple[Callable[[ModelProto], ModelProto], ...] = (
    name_nodes,
    name_weights,
    drop_idle_reshapes,
    drop_unused,
    strip_notes,
)


def clean(model: ModelProto) -> ModelProto:
    """Run every pass in order; the model is changed in place and given back."""
    for step in PASSES:
        model = step(model)
    return model


def expose_maps(model: ModelProto) -> ModelProto:
    """The same model with the maps among its outputs, so that the graph that ships can be looked into."""
    shown = {o.name for o in model.graph.output}
    hidden = {v.name: v for v in model.graph.value_info if v.name in MAP_NAMES and v.name not in shown}
    model.graph.output.extend(hidden[name] for name in MAP_NAMES if name in hidden)
    return model


def value_shapes(model: ModelProto) -> dict[str, list[int | str]]:
    """Shape of every value whose shape is known: numbers, or names of symbolic sizes."""
    values: list[ValueInfoProto] = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    shapes: dict[str, list[int | str]] = {w.name: list(w.dims) for w in model.graph.initializer}
    for value in values:
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
    return shapes


def constant(model: ModelProto, name: str) -> TensorProto | None:
    """The constant called `name`, if there is one."""
    return next((w for w in model.graph.initializer if w.name == name), None)


def constant_value(model: ModelProto, name: str) -> object:
    """The constant's value as a nested Python list or number. Raises KeyError where `name` is no constant."""
    found = constant(model, name)
    if found is None:
        raise KeyError(name)
    return numpy_helper.to_array(found).tolist()


def _module(node: NodeProto) -> str:
    for note in node.metadata_props:
        if note.key == SCOPES:
            scopes = ast.literal_eval(note.value)
            return scopes[-2] if len(scopes) > 1 else ""
    return node.name.rpartition("/")[0]


def _rename(graph: GraphProto, old: str, new: str) -> None:
    for weight in graph.initializer:
        if weight.name == old:
            weight.name = new
    _reroute(graph, old, new)


def _reroute(graph: GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new


def _replace(field: object, items: list) -> None:
    copies = [type(item).FromString(item.SerializeToString()) for item in items] if items else []
    del field[:]  # type: ignore[attr-defined]
    field.extend(copies)  # type: ignore[attr-defined]
