"""The stream of training pairs: number i of it is the same in every process and on every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ...runtime.errors import InputError
from ...runtime.network import NetworkGeometry
from .augment import Augmentation, change_colours, degrade
from .crops import Jitter, Placed, Turn, jittered, place
from .sources import Source, View


@dataclass(frozen=True)
class Weighted:
    """A source and its share of the pairs; shares need not add up to 1."""

    source: Source
    share: float


class Batch(NamedTuple):
    """template uint8 [B, Z, Z, 3] and search uint8 [B, X, X, 3], BGR; template_box, box: float32 [B, 4], x, y, w, h in
    0..1 of the template and the search crop."""

    template: Tensor
    search: Tensor
    template_box: Tensor
    box: Tensor


class Pairs(Dataset[Batch]):
    """Pair number i as tensors without the batch dimension, drawn, cropped and changed by random numbers of its own."""

    def __init__(
        self, sources: Sequence[Weighted], geometry: NetworkGeometry, jitter: Jitter, how: Augmentation, seed: int
    ) -> None:
        """Raises InputError where there is nothing to draw from."""
        shares = np.array([weighted.share for weighted in sources], float)
        if not len(shares) or not (shares > 0).all():
            raise InputError("there is nothing to draw pairs from; give data, and hold back less of it")
        self._sources = [weighted.source for weighted in sources]
        self._cumulated = shares.cumsum() / shares.cumsum()[-1]
        self._geometry = geometry
        self._jitter = jitter
        self._how = how
        self._seed = seed

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng((self._seed, number))
        source = self._sources[int(np.searchsorted(self._cumulated, random.random(), side="right"))]
        pair = source.draw(random)
        how, geometry = self._how, self._geometry
        grey, mirrored = random.random() < how.grayscale, random.random() < how.flip
        template_turn = _turn(how.template_rotation, how.template_stretch, mirrored, how.flip_each, random)
        search_turn = _turn(how.rotation, how.stretch, mirrored, how.flip_each, random)
        template = place(
            pair.template, pair.template.box, geometry.template_factor, geometry.template_size, template_turn
        )
        search = self._search(pair.search, search_turn, random)
        tensors = []
        for placed in (template, search):
            crop = degrade(change_colours(placed.crop, how, grey, random), how, random)
            tensors.append(torch.from_numpy(np.ascontiguousarray(crop)))
        return Batch(tensors[0], tensors[1], torch.from_numpy(template.box), torch.from_numpy(search.box))

    def _search(self, view: View, turn: Turn, random: np.random.Generator) -> Placed:
        around = jittered(view.box, self._jitter, random)
        placed = place(view, around, self._geometry.search_factor, self._geometry.search_size, turn)
        if random.random() < self._how.occlusion:
            _occlude(placed, random)
        return placed


class Numbers(Sampler[int]):
    """Which pairs a process makes: its part of each batch, from batch `first` on, for ever.

    A batch of `size` pairs is shared out among `world` processes; this one is number `rank`.
    """

    def __init__(self, first: int, size: int, rank: int = 0, world: int = 1) -> None:
        self._first, self._size, self._rank, self._world = first, size, rank, world

    def __iter__(self) -> Iterator[int]:
        share = self._size // self._world
        batch = self._first
        while True:
            start = batch * self._size + self._rank * share
            yield from range(start, start + share)
            batch += 1


def collate(pairs: list[Batch]) -> Batch:
    return Batch._make(torch.stack(tensors) for tensors in zip(*pairs, strict=True))


def _turn(rotation: float, stretch: float, mirrored: bool, flip: float, random: np.random.Generator) -> Turn:
    angle = np.deg2rad(random.uniform(-rotation, rotation))
    return Turn(angle, float(np.exp(random.normal(0, stretch))), mirrored ^ (random.random() < flip))


def _occlude(placed: Placed, random: np.random.Generator) -> None:
    """Cover a part of the target, a fifth to three fifths of each side, with another part of the crop."""
    size = placed.crop.shape[0]
    x, y, width, height = placed.box * size
    cover = np.maximum(np.array([width, height]) * random.uniform(0.2, 0.6, 2), 2).astype(int)
    at = (np.array([x, y]) + random.random(2) * [width, height] - cover / 2).astype(int)
    first, last = np.clip(at, 0, size), np.clip(at + cover, 0, size)
    shape = last - first
    if (shape <= 0).any():
        return
    source = random.integers(0, size - shape + 1)
    patch = placed.crop[source[1] : source[1] + shape[1], source[0] : source[0] + shape[0]].copy()
    if random.random() < 0.5:
        patch[:] = cv2.mean(patch)[:3]
    placed.crop[first[1] : last[1], first[0] : last[0]] = patch
