"""A ViT block that computes only the rows that someone reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model.block import Block


class BlockParts(nn.Module):
    """A block's halves: the attention's scale folded into its queries; queries, keys and values in one Linear."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.heads = block.attn.heads
        self.norm1, self.norm2, self.mlp, self.proj = block.norm1, block.norm2, block.mlp, block.attn.proj
        self.qkv = _scaled(block.attn.qkv, block.attn.scale)

    def split(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values [B, N, C] of tokens [B, N, C]."""
        q, k, v = self.qkv(self.norm1(tokens)).chunk(3, -1)
        return q, k, v

    def attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Rows q [B, n, C] over keys and values [B, N, C]: [B, n, C], projected."""
        mixed = self.scores(q, k) @ self._split_heads(v)
        return self.proj(mixed.permute(0, 2, 1, 3).reshape(q.shape))

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Softmax of q [B, n, C] over keys k [B, N, C]: [B, heads, n, N]."""
        return (self._split_heads(q) @ self._split_heads(k).transpose(-2, -1)).softmax(-1)

    def transform(self, tokens: Tensor) -> Tensor:
        """The MLP half with its residual."""
        return tokens + self.mlp(self.norm2(tokens))

    def _split_heads(self, rows: Tensor) -> Tensor:
        batch, count, width = rows.shape
        return rows.reshape(batch, count, self.heads, width // self.heads).permute(0, 2, 1, 3)


class FoldedBlock(BlockParts):
    """A block of which every row is read."""

    def forward(self, tokens: Tensor) -> Tensor:
        """All rows: [B, N, C] to [B, N, C]."""
        return self.transform(tokens + self.attention(*self.split(tokens)))


class LastBlock(BlockParts):
    """The last block, of which only search tokens are read."""

    def __init__(self, block: Block, template_tokens: int) -> None:
        super().__init__(block)
        self.template_tokens = template_tokens
        width = self.proj.in_features
        self.q, self.kv = _rows(self.qkv, 0, width), _rows(self.qkv, width, 3 * width)
        del self.qkv

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T + n, C] to the search tokens [B, n, C]."""
        normed = self.norm1(tokens)
        k, v = self.kv(normed).chunk(2, -1)
        search = tokens[:, self.template_tokens :]
        return self.transform(search + self.attention(self.q(normed[:, self.template_tokens :]), k, v))


def _scaled(qkv: nn.Linear, scale: float) -> nn.Linear:
    folded = nn.Linear(qkv.in_features, qkv.out_features)
    with torch.no_grad():
        factor = torch.ones(qkv.out_features, 1)
        factor[: qkv.in_features] = scale
        folded.weight.copy_(qkv.weight * factor)
        folded.bias.copy_(qkv.bias * factor[:, 0])
    return folded


def _rows(linear: nn.Linear, first: int, last: int) -> nn.Linear:
    part = nn.Linear(linear.in_features, last - first)
    with torch.no_grad():
        part.weight.copy_(linear.weight[first:last])
        part.bias.copy_(linear.bias[first:last])
    return part
