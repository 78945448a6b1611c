"""SwinTrack's relation modelling as it is exported: every position a constant bias, the template's first rows known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model.swintrack import CrossAttention, SwinTrackRelation
from .block import FirstRows, FoldedBlock, attention_weights, mixed_values
from .positions import ConstantBias, GatheredBias, gathered_bias


class SwinTrackTemplate(nn.Module):
    """The template's part, where the backbone treats template and search apart."""

    def __init__(self, relation: SwinTrackRelation) -> None:
        super().__init__()
        self.layers = nn.ModuleList([FirstRows(relation.ordered_layers[0])])

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Template tokens [B, T, C] as they enter the layers, and the first layer's rows of them [B, T, 3 C]."""
        return tokens, self.layers[0](tokens)


class SwinTrackGraph(nn.Module):
    """Self-attention layers over template and search, one cross-attention, a LayerNorm."""

    def __init__(self, relation: SwinTrackRelation, drops: bool) -> None:
        """drops: whether the backbone drops candidates."""
        super().__init__()
        count = relation.template_tokens
        self.template_tokens = count
        layer, cross = relation.positions().detach(), relation.decoder_positions().detach()
        self.position = gathered_bias(layer) if drops else ConstantBias(layer)
        self.layers = nn.ModuleList(FoldedBlock(block) for block in relation.ordered_layers)
        self.decoder = FoldedCrossAttention(
            relation.decoder, count, gathered_bias(cross) if drops else ConstantBias(cross[:, count:])
        )
        self.norm = relation.norm

    def enter(self, search: Tensor) -> Tensor:
        """Search tokens as they join the template's in the first layer."""
        return search

    def forward(self, tokens: Tensor, where: Tensor | None, template_qkv: Tensor | None = None) -> Tensor:
        """tokens [B, T + n, C], their places int64 [B, T + n] where candidates were dropped; to [B, n, C]."""
        bias = self.position(where, where)
        for layer in self.layers:
            tokens, template_qkv = layer(tokens, bias, template_qkv), None
        return self.norm(self.decoder(tokens, where))


class FoldedCrossAttention(nn.Module):
    """The cross-attention with its scale folded into the queries."""

    def __init__(self, decoder: CrossAttention, template_tokens: int, position: ConstantBias | GatheredBias) -> None:
        super().__init__()
        self.heads, self.template_tokens, self.position = decoder.heads, template_tokens, position
        self.norm_query, self.norm_memory, self.norm2 = decoder.norm_query, decoder.norm_memory, decoder.norm2
        self.kv, self.proj, self.mlp = decoder.kv, decoder.proj, decoder.mlp
        self.q = nn.Linear(decoder.q.in_features, decoder.q.out_features)
        with torch.no_grad():
            self.q.weight.copy_(decoder.q.weight * decoder.scale)
            self.q.bias.copy_(decoder.q.bias * decoder.scale)

    def forward(self, tokens: Tensor, where: Tensor | None) -> Tensor:
        """[B, T + n, C] to [B, n, C]."""
        search = tokens[:, self.template_tokens :]
        k, v = self.kv(self.norm_memory(tokens)).chunk(2, -1)
        bias = self.position(None if where is None else where[:, self.template_tokens :], where)
        weights = attention_weights(self.q(self.norm_query(search)), k, self.heads, bias)
        search = search + self.proj(mixed_values(weights, v))
        return search + self.mlp(self.norm2(search))
