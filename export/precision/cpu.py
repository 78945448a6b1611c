"""What an INT8 file for CPUs is made smaller by: its float constants in half, and no notes on shapes."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from ...runtime.errors import ExportError
from ..passes import MAP_NAMES
from .half import half_constant

LEAST_VALUES = 1024
"""Smaller constants are left alone: a Cast would weigh as much as it saves. So are vectors, scales among them."""


def pack(model: ModelProto) -> ModelProto:
    """The same model, changed in place, as small as it can be stored."""
    kept = [v for v in model.graph.value_info if v.name in MAP_NAMES]
    notes = [ValueInfoProto.FromString(v.SerializeToString()) for v in kept]
    del model.graph.value_info[:]
    model.graph.value_info.extend(notes)
    return store_floats_in_half(model)


def store_floats_in_half(model: ModelProto) -> ModelProto:
    """The same model, changed in place, its large FP32 constants stored in FP16 behind a Cast.

    ONNX Runtime folds the Cast when it loads the file, so it costs no time. A constant that half cannot hold as well as
    its largest value stays FP32.
    """
    casts: list[NodeProto] = []
    for constant in model.graph.initializer:
        if constant.data_type != TensorProto.FLOAT or len(constant.dims) < 2 or np.prod(constant.dims) < LEAST_VALUES:
            continue
        try:
            half = half_constant(constant, constant.name)
        except ExportError:
            continue
        name, half.name = constant.name, f"{constant.name}/half"
        constant.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], name=f"{name}/Cast", to=TensorProto.FLOAT))
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in (*casts, *model.graph.node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
