"""SwinTrack's relation modelling (Lin et al. 2022) behind a backbone: self-attention over both, cross-attention."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from ...runtime.design import RelationModule
from ...runtime.network import NetworkGeometry
from .block import NORM_EPS, Block, Mlp
from .embedding import embedding_parameter
from .relative import bias_of, bias_table, relative_position_count, relative_position_index, rows_and_columns


class UntiedPositions(nn.Module):
    """Positions as a bias of the attention, apart from the tokens.

    By TUPE (Ke et al. 2021), which SwinTrack follows: (n(p) Wq)(n(p) Wk)^T / sqrt(2 d) per head, of learnt positions p
    [T + S, C] under a LayerNorm n, plus a learnt bias by relative position, of its own for each of the four pairs of
    template and search. Shared by the layers that use it, as there. The scores of the tokens are divided by
    sqrt(2 d) too.
    """

    index: Tensor

    def __init__(self, geometry: NetworkGeometry, heads: int) -> None:
        super().__init__()
        grids, width = (geometry.template_grid, geometry.search_grid), geometry.width
        self.heads = heads
        self.pos_embed = embedding_parameter(geometry.token_count, width)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.relative_position_bias_table = bias_table(heads, relative_position_count(*grids))
        self.register_buffer("index", relative_position_index(*grids), persistent=False)

    def forward(self, queries: Tensor | None = None, keys: Tensor | None = None) -> Tensor:
        """The bias of queries int64 [B, n] and keys int64 [B, m], places among all tokens: [B, heads, n, m]; of all
        tokens in order where neither is given: [heads, T + S, T + S]."""
        position = self.norm(self.pos_embed)[0]
        q, k = self._split(self.query(position)), self._split(self.key(position))
        if queries is None or keys is None:
            return q @ k.transpose(-2, -1) * untied_scale(q.shape[-1]) + bias_of(
                self.relative_position_bias_table, self.index
            )
        q, k = q[:, queries].transpose(0, 1), k[:, keys].transpose(0, 1)
        relative = bias_of(self.relative_position_bias_table, rows_and_columns(self.index, queries, keys))
        return q @ k.transpose(-2, -1) * untied_scale(q.shape[-1]) + relative

    def _split(self, rows: Tensor) -> Tensor:
        return rows.reshape(len(rows), self.heads, -1).transpose(0, 1)


class CrossAttention(nn.Module):
    """Search tokens look at all tokens; pre-norm, followed by an MLP."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = untied_scale(width // heads)
        self.norm_query = nn.LayerNorm(width, eps=NORM_EPS)
        self.norm_memory = nn.LayerNorm(width, eps=NORM_EPS)
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, hidden)

    def forward(self, tokens: Tensor, template_tokens: int, bias: Tensor) -> Tensor:
        """tokens [B, T + n, C] and bias [(B,) heads, n, T + n] to search tokens [B, n, C]."""
        search = tokens[:, template_tokens:]
        q = self._split(self.q(self.norm_query(search)))
        k, v = (self._split(part) for part in self.kv(self.norm_memory(tokens)).chunk(2, -1))
        softmax = (q @ k.transpose(-2, -1) * self.scale + bias).softmax(-1)
        search = search + self.proj((softmax @ v).transpose(1, 2).reshape(search.shape))
        return search + self.mlp(self.norm2(search))

    def _split(self, rows: Tensor) -> Tensor:
        batch, count, width = rows.shape
        return rows.reshape(batch, count, self.heads, width // self.heads).transpose(1, 2)


class SwinTrackRelation(nn.Module):
    """`layers` self-attention blocks over template and search, one cross-attention of the search tokens, a LayerNorm.

    From the paper: concatenation-based fusion by pre-norm blocks with untied positions, and the decoder whose queries
    are the search tokens and whose keys and values are both. Chosen here: as wide as the backbone, one set of norms for
    both sides, and of candidates that the backbone has dropped nothing is computed here either.
    """

    def __init__(self, geometry: NetworkGeometry, module: RelationModule) -> None:
        super().__init__()
        self.template_tokens = geometry.template_token_count
        width, heads, hidden = module.width, module.heads, module.mlp_width
        self.positions = UntiedPositions(geometry, heads)
        self.layers = nn.ModuleList(Block(width, heads, hidden) for _ in range(module.layers))
        for layer in self.ordered_layers:
            layer.attn.scale = untied_scale(width // heads)
        self.decoder_positions = UntiedPositions(geometry, heads)
        self.decoder = CrossAttention(width, heads, hidden)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)

    @property
    def ordered_layers(self) -> list[Block]:
        return cast("list[Block]", list(self.layers))

    def forward(self, tokens: Tensor, where: Tensor | None = None) -> Tensor:
        """tokens [B, T + n, C], the backbone's after its norm; where: int64 [B, T + n], their places among all tokens,
        None where all are there in order. Gives search tokens [B, n, C]."""
        count = self.template_tokens
        if where is None:
            bias, cross = self.positions(), self.decoder_positions()[:, count:]
        else:
            bias, cross = self.positions(where, where), self.decoder_positions(where[:, count:], where)
        for layer in self.ordered_layers:
            tokens = layer.transform(layer.attend(tokens, bias)[0])
        return self.norm(self.decoder(tokens, count, cross))


def untied_scale(head_dim: int) -> float:
    """1 / sqrt(2 d): half of the variance of a score comes from the tokens, half from their positions."""
    return (2 * head_dim) ** -0.5
