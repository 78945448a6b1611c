"""The published sizes, and the network that a checkpoint's shapes describe."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..runtime.errors import GeometryError
from ..runtime.network import NetworkGeometry, TemplateTokens


@dataclass(frozen=True)
class Variant:
    """Crop sizes in pixels, and crop sides as factors of sqrt(w * h) of the box."""

    template_size: int
    search_size: int
    template_factor: float
    search_factor: float


SIZES: Mapping[str, Variant] = MappingProxyType(
    {
        "ostrack-256": Variant(128, 256, 2.0, 4.0),
        "ostrack-384": Variant(192, 384, 2.0, 5.0),
    }
)

HEAD_DIM = 64
"""Channels of an attention head in every ViT from Tiny to Large."""

DEFAULT_KEEP_RATIO = 0.7


@dataclass(frozen=True)
class Elimination:
    """Where candidates are dropped and which template tokens rank them; None takes the published default.

    keep_ratio: one for every block, or one per block.
    """

    keep_ratio: float | Sequence[float] | None = None
    template_tokens: str | TemplateTokens | None = None
    blocks: Sequence[int] | None = None

    def apply(
        self, depth: int, defaults: NetworkGeometry | None = None
    ) -> tuple[tuple[int, ...], tuple[float, ...], TemplateTokens]:
        """Blocks, ratios and ranking tokens for a network of `depth` blocks. Raises GeometryError."""
        blocks = _whole_numbers(self.blocks)
        if blocks is None:
            blocks = defaults.elimination_blocks if defaults else default_blocks(depth)
        ratios = _ratios(self.keep_ratio)
        if ratios is None:
            same_stages = defaults is not None and len(defaults.keep_ratios) == len(blocks)
            ratios = defaults.keep_ratios if defaults and same_stages else DEFAULT_KEEP_RATIO
        if isinstance(ratios, (int, float)):
            if not blocks:
                _check_ratio(ratios)
            ratios = [ratios] * len(blocks)
        elif len(ratios) == 1:
            ratios = list(ratios) * len(blocks)
        tokens = self.template_tokens
        if tokens is None:
            tokens = defaults.template_tokens if defaults else TemplateTokens.CENTRE
        return tuple(blocks), tuple(ratios), parse_tokens(tokens)


def default_blocks(depth: int) -> tuple[int, ...]:
    """A quarter, half and three quarters of the way through: 3, 6, 9 of 12 blocks, as published."""
    return tuple(sorted({depth // 4, depth // 2, 3 * depth // 4} - {0}))


def parse_tokens(tokens: str | TemplateTokens) -> TemplateTokens:
    """Raises GeometryError naming the choices."""
    try:
        return TemplateTokens(tokens)
    except ValueError:
        raise GeometryError(
            f"template tokens {tokens!r} are unknown; choose {', '.join(map(str, TemplateTokens))}"
        ) from None


def variant_sizes(name: str) -> Variant:
    """Raises GeometryError naming the variants."""
    if name not in SIZES:
        raise GeometryError(f"there is no variant {name!r}; known are: {', '.join(SIZES)}")
    return SIZES[name]


def variant_of(template_size: int, search_size: int) -> tuple[str, Variant]:
    """The published variant of these crop sizes; other sizes are called by them, with the factors of ostrack-256."""
    for name, sizes in SIZES.items():
        if (sizes.template_size, sizes.search_size) == (template_size, search_size):
            return name, sizes
    return f"custom-{template_size}-{search_size}", Variant(template_size, search_size, 2.0, 4.0)


def published_geometry(
    name: str,
    keep_ratio: float | Sequence[float] | None = None,
    template_tokens: str | TemplateTokens | None = None,
    elimination_blocks: Sequence[int] | None = None,
) -> NetworkGeometry:
    """The published network of a variant: ViT-B with a centre head of 256. Raises GeometryError."""
    sizes = variant_sizes(name)
    blocks, ratios, tokens = Elimination(keep_ratio, template_tokens, elimination_blocks).apply(12)
    return NetworkGeometry(
        variant=name,
        template_size=sizes.template_size,
        search_size=sizes.search_size,
        template_factor=sizes.template_factor,
        search_factor=sizes.search_factor,
        width=768,
        depth=12,
        heads=12,
        mlp_width=3072,
        head_width=256,
        elimination_blocks=blocks,
        keep_ratios=ratios,
        template_tokens=tokens,
    )


def changed_geometry(network: NetworkGeometry, elimination: Elimination) -> NetworkGeometry:
    """A network that drops candidates otherwise; what `elimination` leaves open stays. Raises GeometryError."""
    blocks, ratios, tokens = elimination.apply(network.depth, network)
    return dataclasses.replace(network, elimination_blocks=blocks, keep_ratios=ratios, template_tokens=tokens)


def _ratios(given: Any) -> float | list[float] | None:
    """One ratio or several as Python floats. Raises GeometryError for what is no number."""
    if given is None:
        return None
    if isinstance(given, numbers.Real) and not isinstance(given, bool):
        return float(given)
    several = isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str)
    if not several or not all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in given):
        raise GeometryError(f"keep ratio {given!r} is no number and no list of numbers; the paper uses 0.7")
    return [float(v) for v in given]


def _whole_numbers(given: Sequence[int] | None) -> list[int] | None:
    """Block numbers as Python ints. Raises GeometryError for what is no list of whole numbers."""
    if given is None:
        return None
    several = isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str)
    if not several or not all(isinstance(v, numbers.Integral) and not isinstance(v, bool) for v in given):
        raise GeometryError(f"elimination blocks {given!r} are no list of whole numbers, such as [3, 6, 9]")
    return [int(v) for v in given]


def _check_ratio(ratio: float) -> None:
    if not 0 < ratio <= 1:
        raise GeometryError(f"keep ratio {ratio} is outside (0, 1]; the paper uses 0.7, and 1 switches elimination off")


VARIANTS: Mapping[str, NetworkGeometry] = MappingProxyType({name: published_geometry(name) for name in SIZES})
"""The published networks by name, as released: keep ratio 0.7 at blocks 3, 6, 9, ranked by the centre token."""
