"""A block that drops candidates: ranked first, so that the dropped ones cost no more than their keys and values."""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.block import Block
from .block import BlockParts
from .positions import GatheredBias
from .select import pick


class EliminatingBlock(BlockParts):
    """Keeps `keep` search tokens; gives template and kept tokens, or with `last` the kept tokens alone."""

    template_index: Tensor
    rows: Tensor

    def __init__(
        self,
        block: Block,
        template_tokens: int,
        rows: tuple[int, ...],
        keep: int,
        last: bool,
        position: GatheredBias | None = None,
    ) -> None:
        """rows: the template tokens that rank; empty where weights, made from the target's box, say so."""
        super().__init__(block, position)
        self.template_tokens = template_tokens
        self.keep = keep
        self.last = last
        self.by_weights = not rows
        self.register_buffer("template_index", torch.arange(template_tokens).unsqueeze(0), persistent=False)
        ranking = torch.tensor(rows) if rows else torch.arange(template_tokens)
        self.register_buffer("rows", ranking, persistent=False)

    def forward(
        self,
        tokens: Tensor,
        weights: Tensor | None = None,
        where: Tensor | None = None,
        template_qkv: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """tokens [B, T + n, C]; weights float [B, T] where the target's box ranks; where int64 [B, T + n], the tokens'
        places among all, which a bias by relative positions needs; template_qkv as `split` takes it. Gives the tokens
        left, and int64 [B, keep]: the kept ones' places among the n, best first."""
        q, k, v = self.split(tokens, template_qkv)
        kept = self.rank(q, k, weights, where).topk(self.keep, dim=1).indices
        index = kept + self.template_tokens
        if not self.last:
            index = torch.cat([self.template_index.expand(kept.shape[0], -1), index], 1)
        bias = None
        if self.position is not None:
            assert where is not None
            bias = self.position(pick(where, index), where)
        return self.transform(pick(tokens, index) + self.attention(pick(q, index), k, v, bias)), kept

    def rank(self, q: Tensor, k: Tensor, weights: Tensor | None, where: Tensor | None) -> Tensor:
        """float [B, n]: attention of the ranking rows to each candidate, added up (or weighted) over rows and heads."""
        bias = None
        if self.position is not None:
            assert where is not None
            bias = self.position(self.rows.unsqueeze(0).expand(where.shape[0], -1), where)
        scores = self.scores(q.index_select(1, self.rows), k, bias)[..., self.template_tokens :]
        if self.by_weights:
            assert weights is not None
            scores = weights[:, None, None, :] @ scores
        return scores.sum((1, 2))
