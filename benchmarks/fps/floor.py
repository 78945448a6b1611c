"""The floor: how fast this machine could run the search graph if it did nothing but matrix products at their best.

The blocks' Linears are nearly all of a frame's arithmetic. Every distinct shape among them is timed in ONNX Runtime,
PyTorch and NumPy, each alone in its process, and the best library's time counts, shape by shape. Their sum is the time
of the Linears; multiplied by (executed multiply-adds) / (multiply-adds of the Linears), it is the floor of a frame: the
rest, attention and convolutions, is taken to run at the same rate, and softmax, norms, activations and memory to cost
nothing. The products run over and over on the same data, so that caches are warm, as they are not in a network.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...runtime.network import NetworkGeometry
from ..macs.plan import PATCHES, Kind, search_graph_products, total
from .protocol import Shape

LIBRARY_NAMES = ("onnxruntime", "torch", "numpy")


@dataclass(frozen=True)
class LibraryRate:
    """GFLOP/s of one library over all shapes, each as often as the graph has it: two operations per multiply-add."""

    library: str
    version: str
    gflops: float


@dataclass(frozen=True)
class ShapeTime:
    """The median over the rounds of the best library's time for one product, and which library was best most often."""

    shape: Shape
    ms: float
    library: str


@dataclass(frozen=True)
class Floor:
    """`ms` is the median over the rounds, `round_ms` each round's floor, `gflops` the rate that `ms` stands for."""

    ms: float
    gflops: float
    executed_macs: int
    round_ms: tuple[float, ...]
    libraries: tuple[LibraryRate, ...]
    shapes: tuple[ShapeTime, ...]


def block_shapes(geometry: NetworkGeometry) -> tuple[Shape, ...]:
    """The distinct shapes of the Linears in the search graph's blocks."""
    counts = Counter(
        (p.rows, p.inner, p.columns)
        for p in search_graph_products(geometry)
        if p.kind is Kind.LINEAR and p.stage != PATCHES
    )
    return tuple(Shape(*shape, times) for shape, times in counts.items())


def floor_ms(shapes: Sequence[Shape], times_ms: Sequence[Sequence[float]], executed_macs: int) -> float:
    """One round's floor. times_ms: per library, milliseconds of one product of each shape."""
    best = [min(column) for column in zip(*times_ms, strict=True)]
    linears_ms = sum(shape.times * ms for shape, ms in zip(shapes, best, strict=True))
    return linears_ms * executed_macs / sum(shape.macs for shape in shapes)


def make_floor(
    geometry: NetworkGeometry, rounds: Sequence[Mapping[str, Sequence[float]]], versions: Mapping[str, str]
) -> Floor:
    """rounds: per round and library, milliseconds of one product of each of `block_shapes`, in their order."""
    shapes, executed = block_shapes(geometry), total(search_graph_products(geometry))
    round_ms = [floor_ms(shapes, list(times.values()), executed) for times in rounds]
    ms = statistics.median(round_ms)
    return Floor(
        ms=ms,
        gflops=2 * executed / ms / 1e6,
        executed_macs=executed,
        round_ms=tuple(round_ms),
        libraries=tuple(_rate(shapes, rounds, name, versions[name]) for name in rounds[0]),
        shapes=tuple(_shape_time(shape, i, rounds) for i, shape in enumerate(shapes)),
    )


def _rate(
    shapes: Sequence[Shape], rounds: Sequence[Mapping[str, Sequence[float]]], library: str, version: str
) -> LibraryRate:
    macs = sum(shape.macs for shape in shapes)
    ms = [sum(s.times * t for s, t in zip(shapes, times[library], strict=True)) for times in rounds]
    return LibraryRate(library, version, 2 * macs / statistics.median(ms) / 1e6)


def _shape_time(shape: Shape, i: int, rounds: Sequence[Mapping[str, Sequence[float]]]) -> ShapeTime:
    best = [min((times[i], library) for library, times in found.items()) for found in rounds]
    often = Counter(library for _, library in best).most_common(1)[0][0]
    return ShapeTime(shape, statistics.median(ms for ms, _ in best), often)
