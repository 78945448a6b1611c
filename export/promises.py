"""What every exported graph keeps to, so that engines and old runtimes take it. Checked on the file that ships."""

from __future__ import annotations

from onnx import ModelProto, NodeProto

from ..runtime.errors import ExportError
from .passes import constant, constant_value, value_shapes

OPSET = 20
"""The first with a Gelu node; its DequantizeLinear takes FP16 scales. Parsers from TensorRT 10 on read it."""

MAX_IR_VERSION = 10
"""Readable by ONNX Runtime from 1.18 on."""

CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "NonZero", "GatherND", "ScatterND", "Unique", "Compress"})
RUN_TIME_SHAPES = frozenset({"Shape", "Size", "Range", "ConstantOfShape"})


def check_promises(model: ModelProto, norms: int, batch: int | None) -> None:
    """Raise ExportError naming the nodes that break a promise.

    norms: how many LayerNorms the network's part has, each to be one node; batch: None for a symbolic batch, which
    alone may compute shapes at run time.
    """
    broken = [
        *_versions(model),
        *_operators(model.graph.node, CONTROL_FLOW, "depends on values for its shape or flow"),
        *_norms(model, norms),
        *_topk(model),
    ]
    if batch is not None:
        broken += _operators(model.graph.node, RUN_TIME_SHAPES, "computes a shape at run time")
        broken += _reshapes(model)
    if broken:
        raise ExportError("the exported graph breaks its promises: " + "; ".join(broken))


def _versions(model: ModelProto) -> list[str]:
    found = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    broken = [] if found == {"ai.onnx": OPSET} else [f"its operator sets are {found}, not ai.onnx {OPSET} alone"]
    if model.ir_version > MAX_IR_VERSION:
        broken.append(f"its IR version is {model.ir_version}, above {MAX_IR_VERSION}")
    return broken


def _operators(nodes: object, banned: frozenset[str], why: str) -> list[str]:
    return [f"{n.name} ({n.op_type}) {why}" for n in nodes if n.op_type in banned]  # type: ignore[attr-defined]


def _norms(model: ModelProto, norms: int) -> list[str]:
    found = sum(n.op_type == "LayerNormalization" for n in model.graph.node)
    return [] if found == norms else [f"it has {found} LayerNormalization nodes for {norms} norms"]


def _topk(model: ModelProto) -> list[str]:
    shapes = value_shapes(model)
    broken = []
    for node in model.graph.node:
        if node.op_type != "TopK":
            continue
        axis = next((a.i for a in node.attribute if a.name == "axis"), -1)
        if constant(model, node.input[1]) is None:
            broken.append(f"{node.name} keeps a number of tokens that is computed at run time")
            continue
        count = constant_value(model, node.input[1])
        whole = shapes[node.input[0]][axis]
        if not isinstance(count, list) or count[0] >= whole:
            broken.append(f"{node.name} sorts all of its {whole} inputs")
    return broken


def _reshapes(model: ModelProto) -> list[str]:
    def computed(node: NodeProto) -> bool:
        return node.op_type in ("Reshape", "Expand") and constant(model, node.input[1]) is None

    return [f"{n.name} takes a shape computed at run time" for n in model.graph.node if computed(n)]
