"""Moving outliers from activations into weights, between a LayerNorm and the Linears that read it.

SmoothQuant (Xiao et al. 2023, arXiv 2211.10438, equation 4) with migration strength 1/2: channel j of the activation is
divided by s_j = sqrt(max|X_j| / max|W_j|) and row j of the weights multiplied by it. Here s_j is rounded to a power of
two, which changes only exponents: the network computes what it did, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from .linears import linears
from .values import Values

OUTLIERS = 4.0
"""A LayerNorm is left alone unless its widest channel spans this many times what its median one does."""


def equalise(model: ModelProto, channel_max: Mapping[str, np.ndarray]) -> tuple[ModelProto, tuple[str, ...]]:
    """A new model, and the names of the LayerNorms that were rescaled.

    channel_max: by the name of a LayerNorm's result, float [C], the largest magnitude seen of each channel. A
    LayerNorm that anything but Linears reads (through Slices or Gathers along the tokens) stays as it is.
    """
    result = ModelProto()
    result.CopyFrom(model)
    values = Values(result)
    weights = {linear.node: linear.weight for linear in linears(result)}
    rescaled = []
    for node in result.graph.node:
        if node.op_type != "LayerNormalization" or node.output[0] not in channel_max:
            continue
        read = _linears_behind(values, node, weights)
        widest = np.asarray(channel_max[node.output[0]], np.float64)
        if not read or widest.max() <= OUTLIERS * np.median(widest):
            continue
        matrices = [values.constants[name] for name in read]
        scale = _scale(widest, [numpy_helper.to_array(m) for m in matrices])
        for constant in (values.constants[node.input[1]], values.constants[node.input[2]]):
            _multiply(constant, 1 / scale)
        for matrix in matrices:
            _multiply(matrix, scale[:, None])
        rescaled.append(node.name.rpartition("/")[0])
    return result, tuple(rescaled)


def norm_outputs(model: ModelProto) -> list[str]:
    """Names of the LayerNorms' results whose channels can be rescaled."""
    values = Values(model)
    weights = {linear.node: linear.weight for linear in linears(model)}
    norms = [n for n in model.graph.node if n.op_type == "LayerNormalization"]
    return [n.output[0] for n in norms if _linears_behind(values, n, weights)]


def _linears_behind(values: Values, norm: NodeProto, weights: Mapping[str, str]) -> list[str]:
    """The weights of all that reads a LayerNorm; none where something else reads it too."""
    found, queue = [], values.readers(norm)
    while queue:
        node = queue.pop(0)
        if node.name in weights:
            found.append(weights[node.name])
        elif node.op_type in ("Slice", "Gather"):
            queue += values.readers(node)
        else:
            return []
    shared = any(len(values.consumers[name]) > 1 for name in (*found, norm.input[1], norm.input[2]))
    return [] if shared else found


def _scale(widest: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    rows = np.max([np.abs(m).max(1) for m in matrices], 0)
    usable = (widest > 0) & (rows > 0)
    exponent = np.zeros(len(widest))
    exponent[usable] = np.round(0.5 * np.log2(widest[usable] / rows[usable]))
    # The common factor changes nothing about outliers; without it the weights keep their size.
    exponent[usable] -= np.round(np.median(exponent[usable]))
    return np.exp2(exponent).astype(np.float32)


def _multiply(constant: TensorProto, factor: np.ndarray) -> None:
    changed = (numpy_helper.to_array(constant) * factor).astype(np.float32)
    constant.CopyFrom(numpy_helper.from_array(changed, constant.name))
