"""A ViT block that computes only the rows that someone reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model.block import Block
from .positions import ConstantBias, GatheredBias


def split_heads(rows: Tensor, heads: int) -> Tensor:
    """[B, N, C] to [B, heads, N, C / heads]."""
    batch, count, width = rows.shape
    return rows.reshape(batch, count, heads, width // heads).permute(0, 2, 1, 3)


def attention_weights(q: Tensor, k: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """Softmax of scaled queries [B, n, C] over keys [B, N, C], with a bias [(B,) heads, n, N]: [B, heads, n, N]."""
    scores = split_heads(q, heads) @ split_heads(k, heads).transpose(-2, -1)
    return (scores if bias is None else scores + bias).softmax(-1)


def mixed_values(weights: Tensor, v: Tensor) -> Tensor:
    """Weights [B, heads, n, N] over values [B, N, C]: [B, n, C]."""
    batch, heads, count, _ = weights.shape
    return (weights @ split_heads(v, heads)).permute(0, 2, 1, 3).reshape(batch, count, v.shape[2])


class BlockParts(nn.Module):
    """A block's halves: the attention's scale folded into its queries; queries, keys and values in one Linear.

    position: the bias by relative positions that its attention has learnt, None for none.
    """

    def __init__(self, block: Block, position: ConstantBias | GatheredBias | None = None) -> None:
        super().__init__()
        self.heads = block.attn.heads
        self.norm1, self.norm2, self.mlp, self.proj = block.norm1, block.norm2, block.mlp, block.attn.proj
        self.qkv = scaled(block.attn.qkv, block.attn.scale)
        self.position = position

    def bias(self, where: Tensor | None) -> Tensor | None:
        """The bias of tokens at places int64 [B, N] among all; where is None, of all that the block was made for."""
        return None if self.position is None else self.position(where, where)

    def split(self, tokens: Tensor, template_qkv: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values [B, N, C] of tokens [B, N, C]; template_qkv [B, T, 3 C] where the template's are known
        already."""
        if template_qkv is None:
            q, k, v = self.qkv(self.norm1(tokens)).chunk(3, -1)
        else:
            search = self.qkv(self.norm1(tokens[:, template_qkv.shape[1] :]))
            q, k, v = torch.cat([template_qkv, search], 1).chunk(3, -1)
        return q, k, v

    def attention(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
        """Rows q [B, n, C] over keys and values [B, N, C]: [B, n, C], projected."""
        return self.proj(mixed_values(self.scores(q, k, bias), v))

    def scores(self, q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
        """Softmax of q [B, n, C] over keys k [B, N, C]: [B, heads, n, N]."""
        return attention_weights(q, k, self.heads, bias)

    def transform(self, tokens: Tensor) -> Tensor:
        """The MLP half with its residual."""
        return tokens + self.mlp(self.norm2(tokens))


class FoldedBlock(BlockParts):
    """A block of which every row is read."""

    def forward(self, tokens: Tensor, bias: Tensor | None = None, template_qkv: Tensor | None = None) -> Tensor:
        """All rows: [B, N, C] to [B, N, C]."""
        return self.transform(tokens + self.attention(*self.split(tokens, template_qkv), bias))


class LastBlock(BlockParts):
    """The last block, of which only search tokens are read."""

    def __init__(self, block: Block, template_tokens: int, position: ConstantBias | GatheredBias | None = None) -> None:
        super().__init__(block, position)
        self.template_tokens = template_tokens
        width = self.proj.in_features
        self.q, self.kv = rows(self.qkv, 0, width), rows(self.qkv, width, 3 * width)
        del self.qkv

    def bias(self, where: Tensor | None) -> Tensor | None:
        """As of every block, the search tokens' rows alone."""
        if self.position is None or where is None:
            bias = super().bias(where)
            return None if bias is None else bias[:, self.template_tokens :]
        return self.position(where[:, self.template_tokens :], where)

    def forward(self, tokens: Tensor, bias: Tensor | None = None, template_qkv: Tensor | None = None) -> Tensor:
        """[B, T + n, C] to the search tokens [B, n, C]."""
        search = tokens[:, self.template_tokens :]
        if template_qkv is None:
            normed = self.norm1(tokens)
            k, v = self.kv(normed).chunk(2, -1)
            normed = normed[:, self.template_tokens :]
        else:
            normed = self.norm1(search)
            k, v = torch.cat([template_qkv[..., self.proj.in_features :], self.kv(normed)], 1).chunk(2, -1)
        return self.transform(search + self.attention(self.q(normed), k, v, bias))


class FirstRows(nn.Module):
    """What the first block that relates template and search needs of the template: its queries, keys and values."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.norm1 = block.norm1
        self.qkv = scaled(block.attn.qkv, block.attn.scale)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T, C] to [B, T, 3 C]."""
        return self.qkv(self.norm1(tokens))


def scaled(qkv: nn.Linear, scale: float) -> nn.Linear:
    """The same Linear [C, 3 C] with the attention's scale folded into its queries."""
    folded = nn.Linear(qkv.in_features, qkv.out_features)
    with torch.no_grad():
        factor = torch.ones(qkv.out_features, 1)
        factor[: qkv.in_features] = scale
        folded.weight.copy_(qkv.weight * factor)
        folded.bias.copy_(qkv.bias * factor[:, 0])
    return folded


def rows(linear: nn.Linear, first: int, last: int) -> nn.Linear:
    """The Linear of outputs first .. last - 1 alone."""
    part = nn.Linear(linear.in_features, last - first)
    with torch.no_grad():
        part.weight.copy_(linear.weight[first:last])
        part.bias.copy_(linear.bias[first:last])
    return part
