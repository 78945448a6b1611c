"""Packed crops: how far apart the frames of a pair are, what is held back, and what a damaged list says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ostrack_edge.runtime.errors import FootageError
from ostrack_edge.train.data.hold_back import HoldBack
from ostrack_edge.train.data.packed import (
    CUTOUTS,
    INDEX,
    PATCHES,
    PHOTOS,
    VIDEOS,
    PackedVideos,
    open_packed,
    read_packed,
)
from ostrack_edge.train.data.pairs import Weighted
from ostrack_edge.train.data.pictures import Pictures
from torch.utils.data import DataLoader, Dataset

Pack = Callable[..., Path]

SIZES = {"video_ant": 30, "video_bee": 12, "video_cow": 1, "photo_odd": 40}


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """pack(groups): a folder whose every crop has a grey of its own, in the order of the list."""

    def write(sizes: dict[str, int]) -> Path:
        entries = []
        for group, count in sizes.items():
            for i in range(count):
                name = f"{group}_{i:03d}.png"
                assert cv2.imwrite(str(tmp_path / name), np.full((24, 24, 3), len(entries), np.uint8))
                entries.append({"file": name, "group": group, "box_xywh": [8, 9, 6, 5.5]})
        (tmp_path / INDEX).write_text(json.dumps(entries))
        return tmp_path

    return write


def drawn(sources: list[Weighted], count: int = 400) -> set[tuple[int, int]]:
    """The greys of the pairs that some draws give."""
    random = np.random.default_rng(0)
    pairs = [weighted.source.draw(random) for weighted in sources for _ in range(count)]
    return {(int(p.template.picture[0, 0, 0]), int(p.search.picture[0, 0, 0])) for p in pairs}


@pytest.mark.parametrize("gap", [1, 3, 200])
def test_frames_of_one_video_within_the_gap(pack: Pack, gap: int) -> None:
    crops = [crop for crop in read_packed(pack(SIZES)) if crop.of_video]
    source = PackedVideos(Path(), crops, Pictures(), gap)
    assert len(source) == 2, "one frame makes no pair"
    random = np.random.default_rng(0)
    apart: Counter[int] = Counter()
    videos: Counter[bool] = Counter()
    for _ in range(3000):
        pair = source.draw(random)
        first, second = (int(view.picture[0, 0, 0]) for view in pair)
        assert (first < 30) is (second < 30)
        assert max(first, second) < 42
        apart[second - first] += 1
        videos[first < 30] += 1
        assert pair.template.box == pair.search.box == (8, 9, 6, 5.5)
    assert max(map(abs, apart)) <= gap
    assert set(apart) >= {step for step in range(-min(gap, 20), min(gap, 20) + 1) if step}
    assert 0 not in apart
    assert videos[True] == pytest.approx(1500, abs=150), "groups are drawn alike"


def test_what_is_held_back_is_nowhere_else(pack: Pack) -> None:
    root = pack(SIZES)
    found = open_packed(root, HoldBack(("ant",), 0.25), 200)
    hold_back = HoldBack((), 0.25)
    held = {
        number
        for number, crop in enumerate(read_packed(root))
        if crop.group == "video_ant" or (crop.group == "photo_odd" and hold_back.holds_photo(crop.path))
    }
    assert 32 < len(held) < 50
    training = {grey for pair in drawn(found.training) for grey in pair}
    validation = {grey for pair in drawn(found.validation) for grey in pair}
    assert validation == held
    assert training == set(range(sum(SIZES.values()))) - held - {42}  # the lonely cow
    assert found.names == {*SIZES, "ant", "bee", "cow"}
    assert [weighted.share for weighted in found.training] == [VIDEOS, PHOTOS]
    # The group's full name does as well, and photos have one.
    for name in ("video_ant", "photo_odd"):
        held_by_name = {grey for pair in drawn(open_packed(root, HoldBack((name,)), 200).validation) for grey in pair}
        assert held_by_name == {n for n, crop in enumerate(read_packed(root)) if crop.group == name}


def test_the_share_of_photos_is_their_names_alone(tmp_path: Path) -> None:
    names = [f"photo_{i:05d}.jpg" for i in range(4000)]
    few, more = HoldBack((), 0.1), HoldBack((), 0.3)
    held = {name for name in names if few.holds_photo(tmp_path / name)}
    assert len(held) == pytest.approx(400, abs=60)
    assert held == {name for name in names if few.holds_photo(Path("elsewhere") / name)}
    assert held < {name for name in names if more.holds_photo(Path(name))}
    first = int(hashlib.sha256(names[0].encode()).hexdigest()[:16], 16) / 2**64
    assert HoldBack((), first + 1e-9).holds_photo(Path(names[0]))
    assert not HoldBack((), first - 1e-9).holds_photo(Path(names[0]))


def test_a_photo_is_both_sights(pack: Pack) -> None:
    found = open_packed(pack({"photo_odd": 5}), HoldBack(), 200)
    assert [weighted.source.name.split()[0] for weighted in found.training] == ["photos"]
    assert drawn(found.training) == {(grey, grey) for grey in range(5)}


def test_photos_beside_the_crops(pack: Pack) -> None:
    root = pack({"video_ant": 3})
    (root / "photos").mkdir()
    random = np.random.default_rng(0)
    for i in range(3):
        assert cv2.imwrite(str(root / "photos" / f"{i}.png"), random.integers(0, 256, (80, 90, 3), np.uint8))
    labels = np.zeros((80, 90), np.uint8)
    labels[20:50, 30:55] = 7
    assert cv2.imwrite(str(root / "photos" / "labels.png"), labels)
    entries = [{"file": "0.png", "segments": "labels.png"}, {"file": "1.png"}, {"file": "2.png"}]
    (root / "photos.json").write_text(json.dumps(entries))
    shares = [weighted.share for weighted in open_packed(root, HoldBack(), 200).training]
    assert shares == [VIDEOS, PATCHES, CUTOUTS]
    assert shares[0] + PHOTOS + shares[1] + shares[2] == pytest.approx(1)
    # With every photo held back nothing is left to cut patches from.
    everything = HoldBack((), 1 - 1e-12)
    assert [weighted.share for weighted in open_packed(root, everything, 200).training] == [VIDEOS]


GOOD: dict[str, Any] = {"file": "a.png", "group": "video_a", "box_xywh": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("a.png", "should have file, group and box_xywh"),
        ([], "should have file, group and box_xywh"),
        ({"file": "a.png", "group": "video_a"}, "should have file, group and box_xywh"),
        ({**GOOD, "group": 5}, "should have file, group and box_xywh"),
        ({**GOOD, "file": None}, "should have file, group and box_xywh"),
        ({**GOOD, "file": "/etc/passwd"}, "names no file below"),
        ({**GOOD, "file": "../a.png"}, "names no file below"),
        ({**GOOD, "file": "a\0.png"}, "names no file below"),
        ({**GOOD, "box_xywh": None}, "its box must be four numbers"),
        ({**GOOD, "box_xywh": [1, 2, 3]}, "its box must be four numbers"),
        ({**GOOD, "box_xywh": [1, 2, "x", 4]}, "its box must be four numbers"),
        ({**GOOD, "box_xywh": [1, 2, 10**400, 4]}, "its box must be four numbers"),
        ({**GOOD, "box_xywh": [1, 2, 0, 4]}, "its box is empty"),
        ({**GOOD, "box_xywh": [1, 2, float("nan"), 4]}, "not finite"),
        ({**GOOD, "box_xywh": [1, 2, 1e300, 4]}, "beyond 1e"),
    ],
)
def test_a_damaged_entry_is_named(tmp_path: Path, entry: Any, message: str) -> None:
    (tmp_path / INDEX).write_text(json.dumps([GOOD, entry]))
    with pytest.raises(FootageError, match=rf"index\.json, entry 1.*{message}"):
        read_packed(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff", "{}", "[]", "5"])
def test_a_damaged_list(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_bytes(text.encode("latin-1"))
    with pytest.raises(FootageError, match=r"index\.json (is no JSON|lists no crops)"):
        read_packed(tmp_path)


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"index\.json cannot be read: .*packed crops are listed there"):
        read_packed(tmp_path)
    (tmp_path / INDEX).write_text(json.dumps([{**GOOD, "group": "photo_a"}]))
    (source,) = open_packed(tmp_path, HoldBack(), 200).training
    with pytest.raises(FootageError, match=r"a\.png cannot be read"):
        source.source.draw(np.random.default_rng(0))


def test_pictures_stay_as_long_as_there_is_room(pack: Pack) -> None:
    root = pack({"photo_odd": 3})
    first, second = root / "photo_odd_000.png", root / "photo_odd_001.png"
    pictures = Pictures(room=24 * 24 * 3)
    held = pictures[first]
    assert pictures[first] is held
    assert not held.flags.writeable
    assert pictures[second] is not pictures[second]
    first.unlink()
    assert pictures[first] is held


class Holds(Dataset):
    """How many of the pictures a worker still has after it has looked at all of them."""

    def __init__(self, pictures: Pictures, paths: list[Path]) -> None:
        self._pictures, self._paths = pictures, paths

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> int:
        seen = [self._pictures[path] for path in self._paths]
        return sum(self._pictures[path] is picture for path, picture in zip(self._paths, seen, strict=True))


# Python 3.12 and later warn of the fork by which workers begin.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize(("workers", "kept"), [(0, [4, 4]), (1, [4, 4]), (2, [2, 2])])
def test_workers_share_the_room_for_pictures(pack: Pack, workers: int, kept: list[int]) -> None:
    root = pack({"photo_odd": 6})
    pictures = Pictures(room=4 * 24 * 24 * 3)
    found = Holds(pictures, [root / f"photo_odd_{i:03d}.png" for i in range(6)])
    assert [int(count) for count in DataLoader(found, num_workers=workers)] == kept
