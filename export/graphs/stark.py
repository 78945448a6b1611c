"""STARK's relation modelling as it is exported: positions folded behind the Linears, search rows alone at the end."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model.stark import EncoderLayer, StarkRelation
from .block import attention_weights, mixed_values, rows, scaled
from .select import pick_constant


class StarkTemplate(nn.Module):
    """The template's part, where the backbone treats template and search apart."""

    def __init__(self, relation: StarkRelation) -> None:
        super().__init__()
        self.bottleneck = relation.bottleneck
        layer = relation.ordered_layers[0]
        self.layers = nn.ModuleList([StarkFirstRows(layer, relation.positions[: relation.template_tokens])])

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Template tokens [B, T, W] as they enter the layers, and the first layer's rows of them [B, T, 3 W]."""
        tokens = self.bottleneck(tokens)
        return tokens, self.layers[0](tokens)


class StarkFirstRows(nn.Module):
    """Queries, keys and values of the template in the first layer."""

    position: Tensor

    def __init__(self, layer: EncoderLayer, positions: Tensor) -> None:
        super().__init__()
        self.qkv = scaled(layer.qkv, layer.scale)
        self.register_buffer("position", folded_positions(self.qkv, positions), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T, W] to [B, T, 3 W]."""
        return self.qkv(tokens) + self.position


class StarkGraph(nn.Module):
    """The bottleneck, and encoder layers of which the last computes search rows only."""

    def __init__(self, relation: StarkRelation) -> None:
        super().__init__()
        self.bottleneck = relation.bottleneck
        layers, count = relation.ordered_layers, relation.template_tokens
        self.layers = nn.ModuleList(StarkLayer(layer, relation.positions, 0) for layer in layers[:-1])
        self.layers.append(StarkLayer(layers[-1], relation.positions, count))

    def enter(self, search: Tensor) -> Tensor:
        """Search tokens [B, n, C] as they join the template's in the first layer: [B, n, W]."""
        return self.bottleneck(search)

    def forward(self, tokens: Tensor, where: Tensor | None, template_qkv: Tensor | None = None) -> Tensor:
        """tokens [B, T + n, C] (W where template_qkv is given), their places int64 [B, T + n] where candidates were
        dropped: search tokens [B, n, W]."""
        if template_qkv is None:
            tokens = self.bottleneck(tokens)
        for layer in self.layers:
            tokens, template_qkv = layer(tokens, where, template_qkv), None
        return tokens


class StarkLayer(nn.Module):
    """(x + p) W = x W + p W: the positions are constants behind the Linear. Gives the rows from `first` on."""

    position: Tensor

    def __init__(self, layer: EncoderLayer, positions: Tensor, first: int) -> None:
        super().__init__()
        self.heads, self.first, self.width = layer.heads, first, layer.qkv.in_features
        self.proj, self.norm1, self.norm2 = layer.proj, layer.norm1, layer.norm2
        self.fc1, self.fc2 = layer.fc1, layer.fc2
        qkv = scaled(layer.qkv, layer.scale)
        self.register_buffer("position", folded_positions(qkv, positions), persistent=False)
        if first:
            self.q, self.kv = rows(qkv, 0, self.width), rows(qkv, self.width, 3 * self.width)
        else:
            self.qkv = qkv

    def forward(self, tokens: Tensor, where: Tensor | None, template_qkv: Tensor | None = None) -> Tensor:
        """[B, N, W] to [B, N - first, W]."""
        position = self.position if where is None else pick_constant(self.position, where)
        if template_qkv is not None:
            known = template_qkv.shape[1]
            q, k, v = self._split(tokens[:, known:], position[..., known:, :], max(0, self.first - known))
            cached = template_qkv.chunk(3, -1)
            k, v = torch.cat([cached[1], k], 1), torch.cat([cached[2], v], 1)
            q = q if self.first else torch.cat([cached[0], q], 1)
        else:
            q, k, v = self._split(tokens, position, self.first)
        mixed = self.proj(mixed_values(attention_weights(q, k, self.heads), v))
        tokens = self.norm1(tokens[:, self.first :] + mixed)
        return self.norm2(tokens + self.fc2(self.fc1(tokens).relu()))

    def _split(self, tokens: Tensor, position: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of the tokens from `first` on, keys and values of all."""
        if not self.first:
            q, k, v = (self.qkv(tokens) + position).chunk(3, -1)
            return q, k, v
        k, v = (self.kv(tokens) + position[..., self.width :]).chunk(2, -1)
        return self.q(tokens[:, first:]) + position[..., first:, : self.width], k, v


@torch.no_grad()
def folded_positions(qkv: nn.Linear, positions: Tensor) -> Tensor:
    """What positions [N, W] add to a Linear's queries and keys: [N, 3 W], zeros for the values."""
    added = positions @ qkv.weight.t()
    added[:, 2 * qkv.in_features :] = 0
    return added
