"""Shares of what several specs give."""

from __future__ import annotations

from pathlib import Path

import pytest
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.train.data.hold_back import HoldBack
from ostrack_edge.train.data.mixture import open_mixture, split_share
from ostrack_edge.train.data.packed import PHOTOS, VIDEOS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("packed:/data", ("packed:/data", 1.0)),
        ("packed:/data=0.5", ("packed:/data", 0.5)),
        ("packed:/a=b", ("packed:/a=b", 1.0)),
        ("packed:/a=3=2e1", ("packed:/a=3", 20.0)),
    ],
)
def test_a_spec_and_its_share(text: str, expected: tuple[str, float]) -> None:
    assert split_share(text) == expected


@pytest.mark.parametrize("text", ["packed:/a=0", "packed:/a=-1", "packed:/a=1e999", "packed:/a=1-2"])
def test_a_share_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match="a share is a number above 0"):
        split_share(text)


def test_each_spec_gives_by_its_share(crops: Path) -> None:
    mixture = open_mixture([f"packed:{crops}", f"packed:{crops}=3"], HoldBack(("dog",)))
    shares = [weighted.share for weighted in mixture.training]
    whole = VIDEOS + PHOTOS
    assert shares == pytest.approx([VIDEOS / whole, PHOTOS / whole, 3 * VIDEOS / whole, 3 * PHOTOS / whole])
    assert [weighted.share for weighted in mixture.validation] == [1, 3]
    assert [weighted.source.name for weighted in mixture.validation] == [f"videos of {crops}"] * 2


def test_what_cannot_be_held_back(crops: Path) -> None:
    with pytest.raises(InputError, match="there is no sequence cat to hold back; the data have: cup, dog"):
        open_mixture([f"packed:{crops}"], HoldBack(("cat", "dog")))
    with pytest.raises(InputError, match="everything is held back"):
        open_mixture([f"packed:{crops}"], HoldBack(("cup", "dog", "photo_odd")))
    with pytest.raises(InputError, match="no data to train on"):
        open_mixture([], HoldBack())
