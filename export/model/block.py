"""A ViT block over template and search tokens together: feature learning and relation modelling in one attention."""

from __future__ import annotations

from torch import Tensor, nn

from .relative import bias_of, bias_table

NORM_EPS = 1e-6


class Attention(nn.Module):
    """Multi-head self-attention that also gives its softmax, from which candidates are ranked.

    positions: the relative positions that have a learnable bias, 0 for none; the table's name is the published code's.
    """

    def __init__(self, width: int, heads: int, positions: int = 0) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = bias_table(heads, positions) if positions else None

    def forward(self, tokens: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """tokens [B, N, C] to the attention's output [B, N, C] and its softmax [B, heads, N, N].

        bias: [heads, N, N] or [B, heads, N, N], added to the scaled scores.
        """
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        scores = (q @ k.transpose(-2, -1)) * self.scale
        softmax = (scores if bias is None else scores + bias).softmax(dim=-1)
        mixed = (softmax @ v).transpose(1, 2).reshape(batch, count, width)
        return self.proj(mixed), softmax

    def relative_bias(self, index: Tensor | None) -> Tensor | None:
        """The learnt biases of relative positions int64 [..., N, N]: [..., heads, N, N]; None where none are learnt."""
        if self.relative_position_bias_table is None:
            return None
        assert index is not None
        return bias_of(self.relative_position_bias_table, index)


class Mlp(nn.Module):
    """Linear, GELU (by the error function), Linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(tokens)))


class Block(nn.Module):
    """The weights of one pre-norm block; the network runs its two halves, and drops candidates between them.

    drop_path: the chance with which training leaves a half out for a sample (stochastic depth, Huang et al. 2016).
    """

    def __init__(self, width: int, heads: int, hidden: int, positions: int = 0) -> None:
        super().__init__()
        self.drop_path = 0.0
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, heads, positions)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, hidden)

    def attend(self, tokens: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The attention half with its residual: tokens [B, N, C], and the softmax [B, heads, N, N]."""
        mixed, softmax = self.attn(self.norm1(tokens), bias)
        return tokens + self._kept(mixed), softmax

    def transform(self, tokens: Tensor) -> Tensor:
        """The MLP half with its residual: [B, N, C]."""
        return tokens + self._kept(self.mlp(self.norm2(tokens)))

    def _kept(self, change: Tensor) -> Tensor:
        """What a half adds; in training, nothing for some samples, and so much more for the others."""
        if not self.training or not self.drop_path:
            return change
        keep = 1 - self.drop_path
        return change * (change.new_empty(len(change), 1, 1).bernoulli_(keep) / keep)
