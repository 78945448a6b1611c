"""What a network looks like from outside: sizes, tokens, and where candidates are dropped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from .design import PUBLISHED, Design, RelationKind
from .errors import GeometryError

PATCH = 16
"""Side of a patch in pixels; every published OSTrack has this one."""


MAX_SIZE, MAX_FACTOR, MAX_WIDTH = 4096, 100.0, 65536
"""Far above any network's; they keep a damaged manifest from asking for absurd buffers."""


class TemplateTokens(str, Enum):
    """The template tokens whose attention ranks the search candidates (supplementary, section 2.1)."""

    CENTRE = "centre"
    CENTRE_2X2 = "centre-2x2"
    CENTRE_4X4 = "centre-4x4"
    BOX = "box"
    ALL = "all"

    def __str__(self) -> str:
        return self.value


class ColorOrder(str, Enum):
    """Order of a picture's colour channels."""

    BGR = "bgr"
    RGB = "rgb"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class NetworkGeometry:
    """Everything about a network that is not a weight.

    Sizes are pixels of the square crops; `template_factor` and `search_factor` are the crop's side over sqrt(w * h) of
    the box; `keep_ratios[i]` belongs to `elimination_blocks[i]` (block numbers count from 0); `design` is what sets the
    network apart from the published one. Raises GeometryError where the numbers do not make a network.
    """

    variant: str
    template_size: int
    search_size: int
    template_factor: float
    search_factor: float
    width: int
    depth: int
    heads: int
    mlp_width: int
    head_width: int
    elimination_blocks: tuple[int, ...] = (3, 6, 9)
    keep_ratios: tuple[float, ...] = (0.7, 0.7, 0.7)
    template_tokens: TemplateTokens = TemplateTokens.CENTRE
    design: Design = PUBLISHED

    def __post_init__(self) -> None:
        for name in ("template_size", "search_size"):
            size = getattr(self, name)
            if not PATCH <= size <= MAX_SIZE or size % PATCH:
                raise GeometryError(f"{name} is {size}; give a multiple of {PATCH} pixels up to {MAX_SIZE}")
        for name in ("template_factor", "search_factor"):
            factor = getattr(self, name)
            if not 0 < factor <= MAX_FACTOR:
                raise GeometryError(f"{name} is {factor}; give a factor above 0, up to {MAX_FACTOR}")
        for name in ("width", "depth", "heads", "mlp_width"):
            value = getattr(self, name)
            if not 1 <= value <= MAX_WIDTH:
                raise GeometryError(f"{name} is {value}; give a number from 1 to {MAX_WIDTH}")
        if self.width % self.heads:
            raise GeometryError(f"a width of {self.width} does not divide into {self.heads} attention heads")
        if not 8 <= self.head_width <= MAX_WIDTH or self.head_width % 8:
            raise GeometryError(
                f"the centre head's width is {self.head_width}; it halves three times, give a multiple of 8"
            )
        module = self.design.module
        if module is not None and module.kind is RelationKind.SWINTRACK and module.width != self.width:
            raise GeometryError(f"a SwinTrack module is as wide as its backbone: {self.width}, not {module.width}")
        if len(self.keep_ratios) != len(self.elimination_blocks):
            raise GeometryError(
                f"{len(self.keep_ratios)} keep ratios for {len(self.elimination_blocks)} elimination blocks; "
                "give one ratio, or one per block"
            )
        for ratio in self.keep_ratios:
            if not 0 < ratio <= 1:
                raise GeometryError(
                    f"keep ratio {ratio} is outside (0, 1]; the paper uses 0.7, and 1 switches elimination off"
                )
        blocks = self.elimination_blocks
        if any(b < 0 or b >= self.depth for b in blocks) or list(blocks) != sorted(set(blocks)):
            raise GeometryError(
                f"elimination blocks {', '.join(map(str, blocks))} must rise and lie in 0..{self.depth - 1} "
                f"(the network has {self.depth} blocks, counted from 0)"
            )
        separate = self.separate_blocks
        if blocks and blocks[0] < separate:
            raise GeometryError(
                f"block {blocks[0]} treats template and search apart and cannot rank candidates; "
                + (f"drop them from block {separate} on" if self.joint_blocks else "drop none")
            )
        if self.template_tokens is TemplateTokens.CENTRE_4X4 and self.template_grid <= 4:
            raise GeometryError(
                f"a centre of 4x4 on a template of {self.template_grid}x{self.template_grid} tokens is every token; "
                "choose the template tokens 'all' instead"
            )
        if self.template_tokens is TemplateTokens.CENTRE_2X2 and self.template_grid < 2:
            raise GeometryError("a centre of 2x2 needs a template of at least 2x2 tokens; choose 'centre' instead")

    @property
    def template_grid(self) -> int:
        """Tokens along one side of the template."""
        return self.template_size // PATCH

    @property
    def search_grid(self) -> int:
        """Tokens along one side of the search region: the side F of the score map."""
        return self.search_size // PATCH

    @property
    def template_token_count(self) -> int:
        return self.template_grid**2

    @property
    def search_token_count(self) -> int:
        return self.search_grid**2

    @property
    def token_count(self) -> int:
        """Template and search tokens together."""
        return self.template_token_count + self.search_token_count

    @property
    def separate_blocks(self) -> int:
        """The first blocks, which treat template and search apart."""
        return self.design.separate_blocks(self.depth)

    @property
    def joint_blocks(self) -> int:
        """The last blocks, which relate template and search."""
        return self.depth - self.separate_blocks

    @property
    def head_inputs(self) -> int:
        """Channels of the tokens that enter the centre head."""
        return self.design.module.width if self.design.module else self.width

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.width // self.heads

    @property
    def stage_token_counts(self) -> tuple[int, ...]:
        """Search tokens left after each elimination block, ceil(keep ratio x tokens left); a ratio of 1 drops none."""
        left, counts = self.search_token_count, []
        for ratio in self.keep_ratios:
            left = math.ceil(ratio * left)
            counts.append(left)
        return tuple(counts)

    @property
    def eliminations(self) -> dict[int, int]:
        """Block -> search tokens kept there, for the blocks that really drop some, in order."""
        left, stages = self.search_token_count, {}
        for block, kept in zip(self.elimination_blocks, self.stage_token_counts, strict=True):
            if kept < left:
                stages[block] = kept
            left = kept
        return stages

    @property
    def kept_counts(self) -> tuple[int, ...]:
        """Search tokens kept at each stage that drops some: the lengths of the search graph's `kept` outputs."""
        return tuple(self.eliminations.values())

    @property
    def ranking_rows(self) -> tuple[int, ...]:
        """Template tokens (row-major) that rank the candidates; empty for `box`, where the target decides.

        A centre of c x c on n x n tokens starts at (n - c) // 2, except the point, which is (n - 1) // 2.
        """
        n = self.template_grid
        match self.template_tokens:
            case TemplateTokens.BOX:
                return ()
            case TemplateTokens.ALL:
                return tuple(range(n * n))
            case TemplateTokens.CENTRE:
                first, side = (n - 1) // 2, 1
            case TemplateTokens.CENTRE_2X2:
                first, side = (n - 2) // 2, 2
            case TemplateTokens.CENTRE_4X4:
                first, side = (n - 4) // 2, 4
        return tuple(y * n + x for y in range(first, first + side) for x in range(first, first + side))
