"""The stream of pairs: the same whoever makes it, shared out without gap or overlap."""

from __future__ import annotations

import dataclasses
from itertools import islice

import numpy as np
import pytest
import torch
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.runtime.geometry import Box
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.data.augment import STRONG, Augmentation
from ostrack_edge.train.data.crops import Jitter
from ostrack_edge.train.data.pairs import Batch, Numbers, Pairs, Weighted, collate
from ostrack_edge.train.data.sources import Pair, View
from torch.utils.data import DataLoader

NONE = Augmentation(grayscale=0, flip=0, flip_each=0, brightness=0)
FLOOR = Box(40, 45, 30, 20)


class Plain:
    """Pairs of one picture: its level of blue is the source's number, red rises to the right."""

    def __init__(self, number: int, box: Box = FLOOR) -> None:
        self.name = f"plain {number}"
        self._picture = np.zeros((120, 120, 3), np.uint8)
        self._picture[:, :, 0] = number
        self._picture[:, :, 2] = np.arange(120)
        self._box = box

    def __len__(self) -> int:
        return 1

    def draw(self, random: np.random.Generator) -> Pair:
        shift = random.integers(0, 10)
        view = View(self._picture, self._box._replace(x=self._box.x + shift))
        return Pair(view, view)


def pairs(
    mini: NetworkGeometry, how: Augmentation = STRONG, seed: int = 0, shares: tuple[float, ...] = (1, 1)
) -> Pairs:
    sources = [Weighted(Plain(50 * (i + 1)), share) for i, share in enumerate(shares)]
    return Pairs(sources, mini, Jitter(2.0, 0.25), how, seed)


def same(a: Batch, b: Batch) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_pair_is_its_number(mini: NetworkGeometry) -> None:
    first, again = pairs(mini), pairs(mini)
    forward = [first[number] for number in range(20)]
    backward = [again[number] for number in reversed(range(20))][::-1]
    assert all(map(same, forward, backward))
    assert not any(same(forward[i], forward[j]) for i in range(20) for j in range(i))
    assert not any(map(same, forward, (pairs(mini, seed=1)[number] for number in range(20))))
    # Far on, where a run of 300 epochs ends.
    assert same(first[18_000_000], again[18_000_000])


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_as_many_workers_as_one_likes(mini: NetworkGeometry) -> None:
    expected = [collate([pairs(mini)[4 * batch + i] for i in range(4)]) for batch in range(5, 10)]
    for workers in (0, 1, 2):
        loader = DataLoader(pairs(mini), 4, sampler=Numbers(5, 4), num_workers=workers, collate_fn=collate)
        assert all(map(same, expected, islice(loader, 5))), workers


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_processes_share_each_batch(world: int) -> None:
    shares = [list(islice(Numbers(7, 12, rank, world), 36 // world)) for rank in range(world)]
    part = 12 // world
    for batch in range(3):
        together = [number for share in shares for number in share[batch * part : (batch + 1) * part]]
        assert together == list(range((7 + batch) * 12, (8 + batch) * 12))


def test_a_later_start_goes_on_with_the_same_numbers() -> None:
    whole = list(islice(Numbers(0, 6, 1, 2), 30))
    assert list(islice(Numbers(4, 6, 1, 2), 18)) == whole[12:]


def test_what_a_pair_is(mini: NetworkGeometry) -> None:
    pair = pairs(mini)[0]
    assert [(tuple(t.shape), t.dtype) for t in pair] == [
        ((32, 32, 3), torch.uint8),
        ((64, 64, 3), torch.uint8),
        ((4,), torch.float32),
        ((4,), torch.float32),
    ]
    batch = collate([pair, pairs(mini)[1]])
    assert same(Batch._make(t[1] for t in batch), pairs(mini)[1])


def test_sources_by_their_shares(mini: NetworkGeometry) -> None:
    stream = pairs(mini, NONE, shares=(3, 1))
    of_second = sum(int(stream[number].template[16, 16, 0]) == 100 for number in range(400))
    assert of_second == pytest.approx(100, abs=30)


def test_nothing_to_draw_from(mini: NetworkGeometry) -> None:
    with pytest.raises(InputError, match="nothing to draw pairs from"):
        pairs(mini, shares=())
    with pytest.raises(InputError, match="nothing to draw pairs from"):
        pairs(mini, shares=(1, 0))


def rises(crop: torch.Tensor) -> bool:
    """Whether red rises from left to right around the middle."""
    middle = crop.shape[0] // 2
    return bool(crop[middle, middle + 4, 2] > crop[middle, middle - 4, 2])


def test_flips_of_both_and_of_each(mini: NetworkGeometry) -> None:
    def share(how: Augmentation) -> tuple[float, float]:
        stream = pairs(mini, how)
        made = [stream[number] for number in range(300)]
        mirrored = [(not rises(pair.template), not rises(pair.search)) for pair in made]
        return float(np.mean(mirrored)), float(np.mean([a == b for a, b in mirrored]))

    assert share(NONE) == (0, 1)
    assert share(dataclasses.replace(NONE, flip=0.5)) == (pytest.approx(0.5, abs=0.1), 1)
    assert share(dataclasses.replace(NONE, flip_each=0.5)) == pytest.approx((0.5, 0.5), abs=0.1)
    assert share(dataclasses.replace(NONE, flip=1, flip_each=1)) == (0, 1)


def test_grey_is_of_both(mini: NetworkGeometry) -> None:
    stream = pairs(mini, dataclasses.replace(NONE, grayscale=0.5))
    grey = [[bool((crop[..., 0] == crop[..., 2]).all()) for crop in stream[number][:2]] for number in range(200)]
    assert all(template == search for template, search in grey)
    assert np.mean(grey) == pytest.approx(0.5, abs=0.1)


def test_the_target_stays_in_sight(mini: NetworkGeometry) -> None:
    # At the published jitter its centre lies in the crop, whatever is drawn.
    source = Weighted(Plain(1, Box(40, 40, 12, 40)), 1)
    for jitter, factor in ((Jitter(3.0, 0.25), 4.0), (Jitter(4.5, 0.5), 5.0)):
        stream = Pairs([source], dataclasses.replace(mini, search_factor=factor), jitter, NONE, 0)
        boxes = torch.stack([stream[number].box for number in range(400)])
        centre = boxes[:, :2] + boxes[:, 2:] / 2
        assert centre.min() > 0
        assert centre.max() < 1


@pytest.mark.parametrize("box", [FLOOR, Box(20, 55, 80, 4), Box(0, 0, 9, 9)])
def test_an_occlusion_covers_part_of_the_target(mini: NetworkGeometry, box: Box) -> None:
    sources = [Weighted(Plain(200, box), 1)]
    covered = []
    for number in range(60):
        plain = Pairs(sources, mini, Jitter(1.0, 0.1), NONE, 0)[number]
        found = Pairs(sources, mini, Jitter(1.0, 0.1), dataclasses.replace(NONE, occlusion=1.0), 0)[number]
        assert same(Batch._make([plain.box] * 4), Batch._make([found.box] * 4))
        changed = (found.search != plain.search).any(-1).nonzero()
        if len(changed):
            low, high = changed.min(0).values, changed.max(0).values + 1
            covered.append(((high - low).flip(0) / 64 / found.box[2:]).numpy())
    assert len(covered) > 20
    # At most three fifths of each side, and never less than two pixels.
    most = np.maximum(0.6, [2 / 64, 2 / 64] / np.float32(found.box[2:].numpy() * 0.7))
    assert (np.array(covered) <= most + 0.05).all()
