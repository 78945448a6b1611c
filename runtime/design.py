"""What sets a network apart from the published default: the designs that the paper's supplementary compares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .errors import GeometryError

_MAX = 65536


class RelationKind(str, Enum):
    """Whose relation modelling stands behind the backbone."""

    SWINTRACK = "swintrack"
    """Pre-norm self-attention over both, then one cross-attention layer (Lin et al., SwinTrack, 2022)."""
    STARK = "stark"
    """A bottleneck and post-norm encoder layers (Yan et al., STARK, 2021)."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class RelationModule:
    """A relation module behind the backbone: its self-attention layers, and how large they are.

    Raises GeometryError where the numbers do not make one.
    """

    kind: RelationKind
    layers: int
    width: int
    heads: int
    mlp_width: int

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "mlp_width"):
            value = getattr(self, name)
            if not 1 <= value <= _MAX:
                raise GeometryError(f"the relation module's {name} is {value}; give a number from 1 to {_MAX}")
        if self.width % self.heads:
            raise GeometryError(
                f"the relation module's width of {self.width} does not divide into {self.heads} attention heads"
            )
        if self.kind is RelationKind.STARK and self.width % 4:
            raise GeometryError(f"sine positions need a width that 4 divides; the relation module's is {self.width}")


@dataclass(frozen=True)
class Design:
    """One tracker design; the default is the published OSTrack.

    identity_embeddings: a learnt vector for template and one for search tokens (supplementary, section 2.2);
    relative_positions: a learnt bias by relative position in every block's attention (2.2); relation_layers: how many
    of the last blocks relate template and search, the first treat them apart (2.4): None is all, 0 two streams (figure
    1b); module: relation modelling behind the backbone (2.3, and the aligned trackers of section 1).
    """

    identity_embeddings: bool = False
    relative_positions: bool = False
    relation_layers: int | None = None
    module: RelationModule | None = None

    @property
    def in_words(self) -> str:
        """What it adds to the published network, for people; empty for that one."""
        parts = [
            "identity embeddings" if self.identity_embeddings else "",
            "relative positions" if self.relative_positions else "",
            f"{self.relation_layers} relation layers" if self.relation_layers else "",
            "two streams" if self.relation_layers == 0 else "",
            f"a {self.module.kind} module" if self.module else "",
        ]
        return ", ".join(part for part in parts if part)

    def separate_blocks(self, depth: int) -> int:
        """How many of a backbone's first blocks treat template and search apart. Raises GeometryError."""
        if self.relation_layers is None:
            return 0
        if not 0 <= self.relation_layers <= depth:
            raise GeometryError(f"{self.relation_layers} relation layers, and the network has {depth} blocks")
        if self.relation_layers == 0 and self.module is None:
            raise GeometryError("without relation layers nothing relates template and search; give a relation module")
        return depth - self.relation_layers


PUBLISHED = Design()
"""OSTrack as published: every block relates template and search, absolute positions alone."""
