"""The published networks and the designs that the supplementary compares, by name; what a checkpoint's shapes say."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..runtime.design import PUBLISHED, Design, RelationKind, RelationModule
from ..runtime.errors import GeometryError
from ..runtime.network import NetworkGeometry, TemplateTokens

HEAD_DIM = 64
"""Channels of an attention head in every ViT from Tiny to Large."""


@dataclass(frozen=True)
class Vit:
    """A plain ViT's sizes; its attention heads have HEAD_DIM channels, its MLP is four times as wide."""

    width: int
    depth: int


VIT_BASE, VIT_LARGE = Vit(768, 12), Vit(1024, 24)


@dataclass(frozen=True)
class Variant:
    """Crop sizes in pixels, and crop sides as factors of sqrt(w * h) of the box; the ViT, and the design."""

    template_size: int
    search_size: int
    template_factor: float
    search_factor: float
    vit: Vit = VIT_BASE
    design: Design = PUBLISHED


def swintrack_module(vit: Vit) -> RelationModule:
    """Four self-attention layers and one of cross-attention, as in SwinTrack and section 2.3; as wide as the ViT."""
    return RelationModule(RelationKind.SWINTRACK, 4, vit.width, vit.width // HEAD_DIM, 4 * vit.width)


STARK_HEAD_DIM = 32
STARK_MODULE = RelationModule(RelationKind.STARK, 6, 256, 8, 2048)
"""STARK's encoder, in its published sizes."""


def _sized_256(design: Design = PUBLISHED, vit: Vit = VIT_BASE) -> Variant:
    return Variant(128, 256, 2.0, 4.0, vit, design)


SIZES: Mapping[str, Variant] = MappingProxyType(
    {
        "ostrack-256": _sized_256(),
        "ostrack-384": Variant(192, 384, 2.0, 5.0),
        "ostrack-large-256": _sized_256(vit=VIT_LARGE),
        "ostrack-256-identity": _sized_256(Design(identity_embeddings=True)),
        "ostrack-256-relative": _sized_256(Design(relative_positions=True)),
        "ostrack-256-extra-relation": _sized_256(Design(module=swintrack_module(VIT_BASE))),
        "ostrack-256-n6": _sized_256(Design(relation_layers=6)),
        "ostrack-256-n3": _sized_256(Design(relation_layers=3)),
        "stark-aligned-256": _sized_256(Design(relation_layers=0, module=STARK_MODULE)),
        "swintrack-aligned-256": _sized_256(Design(relation_layers=0, module=swintrack_module(VIT_BASE))),
    }
)

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
        self, depth: int, defaults: NetworkGeometry | None = None, design: Design = PUBLISHED
    ) -> tuple[tuple[int, ...], tuple[float, ...], TemplateTokens]:
        """Blocks, ratios and ranking tokens for a network of `depth` blocks. Raises GeometryError."""
        blocks = _whole_numbers(self.blocks)
        if blocks is None:
            blocks = defaults.elimination_blocks if defaults else default_blocks(depth, design)
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


def default_blocks(depth: int, design: Design = PUBLISHED) -> tuple[int, ...]:
    """A quarter, half and three quarters of the way through: 3, 6, 9 of 12 blocks, as published.

    Those in which a design treats template and search apart are left out: there the template ranks nobody.
    """
    blocks = sorted({depth // 4, depth // 2, 3 * depth // 4} - {0})
    return tuple(block for block in blocks if block >= design.separate_blocks(depth))


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


def variant_of(
    template_size: int, search_size: int, design: Design = PUBLISHED, vit: Vit | None = None
) -> tuple[str, Variant]:
    """The variant of these crop sizes and this design, of this ViT where there is one; other sizes are called by them,
    with the factors of ostrack-256."""
    fitting = [
        (name, v)
        for name, v in SIZES.items()
        if (v.template_size, v.search_size, v.design) == (template_size, search_size, design)
    ]
    if fitting:
        return next(((name, v) for name, v in fitting if v.vit == vit), fitting[0])
    return f"custom-{template_size}-{search_size}", Variant(template_size, search_size, 2.0, 4.0, design=design)


def published_geometry(
    name: str,
    keep_ratio: float | Sequence[float] | None = None,
    template_tokens: str | TemplateTokens | None = None,
    elimination_blocks: Sequence[int] | None = None,
) -> NetworkGeometry:
    """The network of a variant, with a centre head of 256. Raises GeometryError."""
    variant = variant_sizes(name)
    vit, design = variant.vit, variant.design
    elimination = Elimination(keep_ratio, template_tokens, elimination_blocks)
    blocks, ratios, tokens = elimination.apply(vit.depth, design=design)
    return NetworkGeometry(
        variant=name,
        template_size=variant.template_size,
        search_size=variant.search_size,
        template_factor=variant.template_factor,
        search_factor=variant.search_factor,
        width=vit.width,
        depth=vit.depth,
        heads=vit.width // HEAD_DIM,
        mlp_width=4 * vit.width,
        head_width=256,
        elimination_blocks=blocks,
        keep_ratios=ratios,
        template_tokens=tokens,
        design=design,
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
"""The networks by name: keep ratio 0.7 at blocks 3, 6, 9 as released, of those that relate template and search, ranked
by the centre token."""
