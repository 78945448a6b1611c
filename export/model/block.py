"""A ViT block over template and search tokens together: feature learning and relation modelling in one attention."""

from __future__ import annotations

from torch import Tensor, nn

NORM_EPS = 1e-6


class Attention(nn.Module):
    """Multi-head self-attention that also gives its softmax, from which candidates are ranked."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """tokens [B, N, C] to the attention's output [B, N, C] and its softmax [B, heads, N, N]."""
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        softmax = ((q @ k.transpose(-2, -1)) * self.scale).softmax(dim=-1)
        mixed = (softmax @ v).transpose(1, 2).reshape(batch, count, width)
        return self.proj(mixed), softmax


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

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.drop_path = 0.0
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, hidden)

    def attend(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The attention half with its residual: tokens [B, N, C], and the softmax [B, heads, N, N]."""
        mixed, softmax = self.attn(self.norm1(tokens))
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
