"""Explicit quantisation: where QuantizeLinear and DequantizeLinear stand in a graph, for all three INT8 recipes.

- `linears`: before the blocks' Linears, on activations (per tensor, symmetric) and on weights (per output channel,
  symmetric), the weights as float -> Q -> DQ with zero-point 0, which every TensorRT parser takes.
- `attention`: also on queries, keys, values, after the softmax and on the output of each attention.
- `cpu`: the weights as INT8 constants -> DQ in 7 bits, the activations unsigned: AVX2's kernels without VNNI add two
  products in 16 bits, and 2 x 255 x 63 still fits. The biases are INT32 constants -> DQ: without that ONNX Runtime's
  optimiser makes one float Gemm of product and bias, and nothing runs in INT8.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ...runtime.manifest import Recipe
from .linears import Linear, attentions, linears
from .values import Values

CPU_WEIGHT_MAX, GPU_WEIGHT_MAX, ACTIVATION_MAX = 63, 127, 127

_TINY = 1e-5
"""Span of a tensor that is zero throughout: the least whose scale half can still hold."""


class Range(Protocol):
    """The span of an activation that calibration found."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def quantised_tensors(model: ModelProto, recipe: Recipe) -> list[str]:
    """Names of the activations whose range the recipe needs, each once, in the graph's order."""
    names = [linear.data for linear in linears(model)]
    if recipe is Recipe.ATTENTION:
        for a in attentions(model):
            names += [a.queries, a.keys, a.values, a.output]
    return list(dict.fromkeys(names))


def quantise(
    model: ModelProto, recipe: Recipe, ranges: Mapping[str, Range], kept_float: Collection[str] = ()
) -> ModelProto:
    """A new FP32 model with Q/DQ in place. ranges: by activation; kept_float: Linears, by module, to leave alone.

    Raises KeyError for an activation without a range.
    """
    placement = _Placement(model, ranges, recipe)
    for linear in linears(placement.model):
        if linear.name not in kept_float:
            placement.activation(linear.data, [linear.node])
            placement.weight(linear.weight, [linear.node])
            if recipe is Recipe.CPU and linear.bias:
                placement.bias(linear)
    if recipe is Recipe.ATTENTION:
        for a in attentions(model):
            if a.name not in kept_float:
                placement.attention(a.queries, a.keys, a.weights, a.values, a.output)
    return placement.finish()


class _Placement:
    def __init__(self, model: ModelProto, ranges: Mapping[str, Range], recipe: Recipe) -> None:
        self.model = ModelProto()
        self.model.CopyFrom(model)
        self._values = Values(self.model)
        self._ranges = ranges
        self._unsigned = recipe is Recipe.CPU
        self._after: dict[str, list[NodeProto]] = {}
        """New nodes by the node that they stand behind; "" at the beginning."""
        self._done: dict[str, str] = {}
        self._added: list[TensorProto] = []
        self._removed: set[str] = set()

    def activation(self, name: str, readers: Sequence[str]) -> None:
        """Let these nodes read the activation quantised."""
        if name not in self._done:
            span = self._ranges[name]
            self._done[name] = self._pair(name, *self._scale(span.low, span.high))
        self._reroute(name, self._done[name], readers)

    def attention(self, queries: str, keys: str, weights: str, values: str, output: str) -> None:
        """Quantise what enters and leaves an attention's two products."""
        first = [n.name for n in self._values.consumers[queries] if keys in n.input]
        second = [n.name for n in self._values.consumers[weights] if values in n.input]
        for name, readers in ((queries, first), (keys, first), (values, second)):
            self.activation(name, readers)
        self._done[weights] = self._pair(weights, 1.0 / ACTIVATION_MAX, 0)
        self._reroute(weights, self._done[weights], second)
        self.activation(output, [n.name for n in self._values.consumers[output]])

    def weight(self, name: str, readers: Sequence[str]) -> None:
        """Let these nodes read the weight [K, N] quantised per output channel."""
        if name not in self._done:
            matrix = numpy_helper.to_array(self._values.constants[name])
            self._done[name] = (self._stored if self._unsigned else self._simulated)(name, matrix)
        self._reroute(name, self._done[name], readers)

    def bias(self, linear: Linear) -> None:
        """Store the bias of a quantised Linear in INT32, in units of its data's scale times its weight's."""
        span = self._ranges[linear.data]
        values = numpy_helper.to_array(self._values.constants[linear.bias]).astype(np.float64)
        matrix = numpy_helper.to_array(self._values.constants[linear.weight])
        scale = (np.float32(self._scale(span.low, span.high)[0]) * _weight_scale(matrix, CPU_WEIGHT_MAX)).astype(
            np.float32
        )
        name = f"{linear.name}.bias"
        inputs = [self._constant(f"{name}/int32", np.rint(values / scale).astype(np.int32))]
        inputs += [self._constant(f"{name}/scale", scale)]
        self._removed.add(linear.bias)
        self._reroute(linear.bias, self._dequantise(name, inputs, "", axis=0), [linear.add])

    def finish(self) -> ModelProto:
        nodes = [*self._after.get("", [])]
        for node in self.model.graph.node:
            nodes += [node, *self._after.get(node.name, [])]
        copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del self.model.graph.node[:]
        self.model.graph.node.extend(copies)
        kept = [w for w in self.model.graph.initializer if w.name not in self._removed]
        constants = [TensorProto.FromString(w.SerializeToString()) for w in (*kept, *self._added)]
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(constants)
        return self.model

    def _scale(self, low: float, high: float) -> tuple[float, int]:
        """Scale and zero-point of an activation: signed around zero, or unsigned over the span widened to hold zero."""
        if not self._unsigned:
            return max(abs(low), abs(high), _TINY) / ACTIVATION_MAX, 0
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, _TINY) / 255
        return scale, round(-low / scale)

    def _pair(self, name: str, scale: float, zero: int) -> str:
        kind = np.uint8 if self._unsigned else np.int8
        constants = [self._constant(f"{name}/scale", np.float32(scale)), self._constant(f"{name}/zero", kind(zero))]
        producer = self._values.producer.get(name)
        return self._chain(name, constants, producer.name if producer is not None else "", axis=None)

    def _simulated(self, name: str, matrix: np.ndarray) -> str:
        scale = _weight_scale(matrix, GPU_WEIGHT_MAX)
        zeros = np.zeros(len(scale), np.int8)
        constants = [self._constant(f"{name}/scale", scale), self._constant(f"{name}/zero", zeros)]
        return self._chain(name, constants, "", axis=1)

    def _stored(self, name: str, matrix: np.ndarray) -> str:
        scale = _weight_scale(matrix, CPU_WEIGHT_MAX)
        stored = np.clip(np.rint(matrix / scale), -CPU_WEIGHT_MAX, CPU_WEIGHT_MAX).astype(np.int8)
        inputs = [self._constant(f"{name}/int8", stored), self._constant(f"{name}/scale", scale)]
        # ONNX Runtime finds its INT8 kernels by the zero-points too.
        inputs.append(self._constant(f"{name}/zero", np.zeros(len(scale), np.int8)))
        self._removed.add(name)
        return self._dequantise(name, inputs, "", axis=1)

    def _chain(self, name: str, constants: list[str], behind: str, axis: int | None) -> str:
        """Q and DQ of a value, behind the node that makes it."""
        node = helper.make_node("QuantizeLinear", [name, *constants], [f"{name}/q"], name=f"{name}/Q")
        self._after.setdefault(behind, []).append(_along(node, axis))
        return self._dequantise(name, [f"{name}/q", *constants], behind, axis)

    def _dequantise(self, name: str, inputs: list[str], behind: str, axis: int | None) -> str:
        result = f"{name}/dq"
        node = helper.make_node("DequantizeLinear", inputs, [result], name=f"{name}/DQ")
        self._after.setdefault(behind, []).append(_along(node, axis))
        return result

    def _constant(self, name: str, value: np.ndarray | np.number) -> str:
        self._added.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _reroute(self, old: str, new: str, readers: Sequence[str]) -> None:
        for node in self.model.graph.node:
            if node.name in readers:
                for place, name in enumerate(node.input):
                    if name == old:
                        node.input[place] = new


def _along(node: NodeProto, axis: int | None) -> NodeProto:
    if axis is not None:
        node.attribute.append(helper.make_attribute("axis", axis))
    return node


def _weight_scale(matrix: np.ndarray, largest: int) -> np.ndarray:
    """float32 [N]: by output channel of a weight [K, N], what one step of its INT8 is worth."""
    return np.maximum(np.abs(matrix).max(0), _TINY).astype(np.float32) / np.float32(largest)
