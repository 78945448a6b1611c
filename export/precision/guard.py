"""Which nodes must stay in FP32 because their values come too near to the largest half."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import ModelProto, TensorProto, helper

from ...calib.replay import session
from ...runtime.errors import ExportError
from .half import HALF_MAX
from .values import Values

HEADROOM = 4.0
"""How much larger than on the reference crops a value may become on others before it overflows."""

NORM_MAX = 1418.0
"""Above it an engine that takes a LayerNormalization apart, and squares in half, overflows; one that does not is as
well served by FP32."""

_SUFFIX = "/largest"


def guarded_nodes(model: ModelProto, largest: Mapping[str, float]) -> frozenset[str]:
    """Names of the nodes that read or make a value whose magnitude, times HEADROOM, half cannot hold.

    largest: the largest magnitude seen of each float value, from `largest_magnitudes`. Where such a value is a
    LayerNormalization's or a Softmax's input, that node is among them and works on the FP32 value.
    """
    values = Values(model)
    found = set()
    for name, magnitude in largest.items():
        if magnitude * HEADROOM > NORM_MAX:
            found |= {node.name for node in values.consumers[name] if node.op_type == "LayerNormalization"}
        if magnitude * HEADROOM > HALF_MAX:
            found |= {node.name for node in values.consumers[name]}
            if name in values.producer:
                found.add(values.producer[name].name)
    return frozenset(found)


def largest_magnitudes(
    model: ModelProto, runs: int, feeds: Callable[[int], Mapping[str, np.ndarray]]
) -> dict[str, float]:
    """Largest magnitude of each float value of an FP32 graph over `runs` runs; feeds(i) gives the inputs of run i.

    Raises ExportError naming the first value that is not finite.
    """
    probe = ModelProto()
    probe.CopyFrom(model)
    values = Values(probe)
    names = [name for name in values.producer if values.types[name] == TensorProto.FLOAT]
    for name in names:
        probe.graph.node.append(helper.make_node("Abs", [name], [f"{name}/magnitude"], name=f"{name}/Abs"))
        probe.graph.node.append(
            helper.make_node("ReduceMax", [f"{name}/magnitude"], [name + _SUFFIX], name=f"{name}/Max", keepdims=0)
        )
        probe.graph.output.append(helper.make_tensor_value_info(name + _SUFFIX, TensorProto.FLOAT, []))
    probed = session(probe)
    worst = np.zeros(len(names))
    for run in range(runs):
        found = np.array(probed.run([name + _SUFFIX for name in names], dict(feeds(run))), np.float64)
        if not np.isfinite(found).all():
            wrong = names[int(np.argmin(np.isfinite(found)))]
            raise ExportError(f"{wrong} is not finite in the FP32 graph on crop {run}; its weights are damaged")
        worst = np.maximum(worst, found)
    return dict(zip(names, worst.tolist(), strict=True))
