"""What the builder made of the blocks, told from its list of layers: which attentions are one kernel, in which type
each Linear is computed, and which kernels do nothing but convert or move numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ...runtime.manifest import EngineFile, GraphRole, Precision, Recipe
from .layers import Layer, LayerList, LayerTensor

_LINEAR = re.compile(r"(?P<module>(?P<block>(?:\w+\.)+\d+)\.[\w.]+)/MatMul")
"""A Linear of a block, such as `blocks.3.mlp.fc1/MatMul`; the attention's own products are `blocks.3/MatMul`."""
_SOFTMAX = re.compile(r"(?P<block>(?:\w+\.)*\w+\.\d+)/Softmax")
_RUNS_PRODUCTS = re.compile(r"gemm|matrix|matmul|fc|fully|convolution|correlation", re.IGNORECASE)
_MERGED = re.compile(r"__myl_((?:[A-Z][a-z]*)+)")
"""The name of a kernel that the builder wrote itself: its operations, four letters each."""

_MOVES = frozenset({"Move", "Resh", "Tran", "Slic", "Conc", "Repl", "Sque", "Expa"})
_ROUNDS = frozenset({"Mul", "Div", "Min", "Max", "Roun"})
_PRODUCTS = frozenset({"Fc", "Gemm", "Matm", "Conv", "Corr", "Dot"})
_FLOATS = frozenset({"FP16", "FP32", "BF16"})
UNKNOWN = "?"


@dataclass(frozen=True)
class BlockAttention:
    """The attention of one block. `kernel`: of the one that computes it, empty where several do; `dtype`: of its
    queries, keys and values."""

    block: str
    kernel: str
    dtype: str

    @property
    def fused(self) -> bool:
        return bool(self.kernel)


@dataclass(frozen=True)
class LinearType:
    """A Linear of a block. `dtype`: of its product, INT8 where data and weight are; UNKNOWN where no layer shows it."""

    module: str
    block: str
    dtype: str


@dataclass(frozen=True)
class FusionReport:
    """`casts`: kernels that only change a float's type or quantise; `moves`: that only move numbers, reformats among
    them; `kernels`: how many an inference launches."""

    attentions: tuple[BlockAttention, ...]
    linears: tuple[LinearType, ...]
    casts: tuple[str, ...]
    moves: tuple[str, ...]
    kernels: int

    @property
    def fused(self) -> int:
        return sum(attention.fused for attention in self.attentions)


def report_fusion(layers: LayerList, blocks: Collection[str] = ()) -> FusionReport:
    """The report on an engine. blocks: names of those that must have an attention, so that a list in which none is
    found is no report of success; others are added as they are found."""
    attentions = _attentions(layers.layers, blocks)
    kernels = [layer for layer in layers.layers if layer.kind not in ("constant", "noop", "no_op", "shape_call")]
    return FusionReport(
        attentions,
        _linears(layers.layers),
        tuple(layer.name for layer in kernels if _only_casts(layer)),
        tuple(layer.name for layer in kernels if _only_moves(layer)),
        len(kernels),
    )


def expected_blocks(role: GraphRole, depth: int) -> tuple[str, ...]:
    """The blocks whose attention the graph of a network of `depth` blocks computes at least."""
    return tuple(f"blocks.{i}" for i in range(depth)) if role is GraphRole.SEARCH else ()


def shortfalls(report: FusionReport, engine: EngineFile, kept_float: Collection[str] = ()) -> list[str]:
    """What an FP16 or INT8 engine should have and has not, in words; none for FP32, whose attention no builder fuses.

    kept_float: Linears and attentions of an INT8 graph that were left in float.
    """
    if engine.precision is Precision.FP32:
        return []
    found = []
    quantised = engine.precision is Precision.INT8
    apart = [a.block for a in report.attentions if not a.fused]
    if apart:
        found.append(f"attention not fused in {', '.join(apart)}")
    for block, dtype, wanted in [
        (a.block, a.dtype, _wanted(quantised and engine.recipe is Recipe.ATTENTION and a.block not in kept_float))
        for a in report.attentions
        if a.fused
    ]:
        if dtype != wanted:
            found.append(f"attention of {block} in {dtype}, not {wanted}")
    by_type: dict[tuple[str, str], list[str]] = {}
    for linear in report.linears:
        wanted = _wanted(quantised and linear.module not in kept_float)
        if linear.dtype != wanted:
            by_type.setdefault((linear.dtype, wanted), []).append(linear.module)
    for (dtype, wanted), modules in by_type.items():
        found.append(f"{', '.join(modules)} in {dtype}, not {wanted}")
    without = [a.block for a in report.attentions if a.block not in {linear.block for linear in report.linears}]
    if without:
        found.append(f"no Linears found in {', '.join(without)}")
    return found


def _wanted(quantised: bool) -> str:
    return "INT8" if quantised else "FP16"


def _attentions(layers: Iterable[Layer], blocks: Collection[str]) -> tuple[BlockAttention, ...]:
    fused: dict[str, Layer] = {}
    seen: dict[str, None] = dict.fromkeys(blocks)
    for layer in layers:
        for name in layer.onnx:
            match = _SOFTMAX.match(name)
            if match:
                seen.setdefault(match["block"])
                if "mha" in f"{layer.name} {layer.tactic}".lower():
                    fused[match["block"]] = layer
    return tuple(
        BlockAttention(block, fused[block].name, _common(fused[block].inputs))
        if block in fused
        else BlockAttention(block, "", UNKNOWN)
        for block in seen
    )


def _linears(layers: Iterable[Layer]) -> tuple[LinearType, ...]:
    """Each Linear with the type of the layer that holds its product; what only dequantises it names it too."""
    found: dict[str, tuple[str, list[str]]] = {}
    for layer in layers:
        for name in layer.onnx:
            match = _LINEAR.fullmatch(name)
            if match:
                _, types = found.setdefault(match["module"], (match["block"], []))
                dtype = _product_type(layer)
                if dtype:
                    types.append(dtype)
    return tuple(LinearType(m, block, "/".join(sorted(set(types))) or UNKNOWN) for m, (block, types) in found.items())


def _product_type(layer: Layer) -> str | None:
    """The type in which a layer multiplies; None where it holds no product."""
    weights = [t for t in layer.constants if sum(size > 1 for size in t.shape) >= 2]
    if not weights and (layer.constants or layer.kind == "kgen" or not _RUNS_PRODUCTS.search(layer.kind + layer.name)):
        return None
    operations = _operations(layer)
    if operations and not operations & _PRODUCTS:
        return None  # scales and biases laid out in rows, which look like weights
    # Data comes with the residual that is added after it: what is quantised, where anything is, is the data.
    data = {t.dtype for t in layer.inputs}
    dtype = "INT8" if "INT8" in data else _common(layer.inputs)
    other = {t.dtype for t in weights} - {dtype}
    return dtype if not other else f"{dtype} with weights in {'/'.join(sorted(other))}"


def _common(tensors: Iterable[LayerTensor]) -> str:
    return "/".join(sorted({t.dtype for t in tensors})) or UNKNOWN


def _operations(layer: Layer) -> frozenset[str]:
    match = _MERGED.match(layer.name)
    return frozenset(re.findall("[A-Z][a-z]*", match[1])) if match else frozenset()


def _only_casts(layer: Layer) -> bool:
    into, out = ({t.dtype for t in tensors} for tensors in (layer.inputs, layer.outputs))
    if layer.kind == "cast":
        return bool(into & _FLOATS and out & _FLOATS)
    operations = _operations(layer)
    if "Cast" not in operations or not into <= _FLOATS:
        return False
    if out <= _FLOATS:
        return operations <= _MOVES | {"Cast"} and into != out
    return out == {"INT8"} and operations <= _MOVES | _ROUNDS | {"Cast"}


def _only_moves(layer: Layer) -> bool:
    if layer.kind in ("reformat", "shuffle") or "reformat" in layer.name.lower():
        return True
    operations = _operations(layer)
    return bool(operations) and operations <= _MOVES
