from __future__ import annotations

import multiprocessing
import pickle
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.datasets.scene import Scene
from ostrack_edge.runtime.errors import FootageError, InputError
from ostrack_edge.runtime.geometry import Box
from ostrack_edge.train.data.sequences import SequenceSource, draw_frames, usable_frames
from ostrack_edge.train.data.sources import Pair, Source

GONE = ["NaN"] * 4
EMPTY = [0, 0, 0, 0]


def numbers(pair: Pair) -> tuple[int, int]:
    """Which frames they are, by their grey."""
    return int(pair.template.picture[0, 0, 0]), int(pair.search.picture[0, 0, 0])


def draws(source: Source, count: int, seed: int = 0) -> list[tuple[int, int]]:
    random = np.random.default_rng(seed)
    return [numbers(source.draw(random)) for _ in range(count)]


def gaps(usable: np.ndarray, max_gap: int, count: int = 4000) -> np.ndarray:
    """Template and search of many draws: int [count, 2]."""
    random = np.random.default_rng(0)
    return np.array([draw_frames(usable, max_gap, random) for _ in range(count)])


# ---- which two frames


def test_the_search_comes_after_the_template_and_within_the_gap() -> None:
    found = gaps(np.arange(1000, dtype=np.int32), 200)
    apart = found[:, 1] - found[:, 0]
    assert (apart.min(), apart.max()) == (1, 200)
    # Half of them on either side of the middle, but for those near the end, whose gaps are shorter.
    inner = apart[found[:, 0] < 800]
    assert 0.47 < np.mean(inner <= 100) < 0.53
    assert 0.17 < np.mean(found[:, 0] < 200) < 0.23
    assert 0.17 < np.mean(found[:, 0] >= 800) < 0.23


def test_every_frame_is_drawn() -> None:
    found = gaps(np.arange(20, dtype=np.int32), 200)
    assert set(found[:, 0].tolist()) == set(range(19))
    assert set(found[:, 1].tolist()) == set(range(1, 20))


def test_the_gap_grows_by_five_until_the_target_is_seen_again() -> None:
    # From frame 1 on, 10 frames do not reach; 10 + 5 reach frames 12, 14 and 16, and not 17.
    found = gaps(np.array([0, 1, 12, 14, 16, 17], np.int32), 10)
    after = Counter(int(search) for template, search in found if template == 1)
    assert set(after) == {12, 14, 16}
    assert {int(search) for template, search in found if template == 0} == {1}


def test_only_what_is_seen_is_usable(clip) -> None:
    boxes = {2: GONE, 3: EMPTY, 4: [4, 3, -5, 6], 5: [4, 3, 12, 1.5], 6: [4, 3, 2, 2], 7: [1e9, 3, 12, 9]}
    (sequence,) = open_dataset(clip("bag", 10, boxes)).sequences
    usable = usable_frames(sequence)
    assert (usable.dtype, usable.tolist()) == (np.int32, [0, 1, 6, 8, 9])
    assert usable_frames(sequence, min_side=0).tolist() == [0, 1, 5, 6, 8, 9]
    assert usable_frames(sequence, min_side=9).tolist() == [0, 1, 8, 9]


def test_flagged_frames_are_not_drawn(tmp_path: Path) -> None:
    """GOT-10k's way: a box stands in every line, and cover.label tells that the target is hidden."""
    folder = tmp_path / "GOT-10k_Train_000001"
    folder.mkdir()
    (tmp_path / "list.txt").write_text("GOT-10k_Train_000001\n")
    for index in range(12):
        cv2.imwrite(str(folder / f"{index + 1:08d}.png"), np.full((24, 32, 3), index, np.uint8))
    (folder / "groundtruth.txt").write_text("4,3,12,9\n" * 12)
    (folder / "absence.label").write_text("0\n" * 12)
    (folder / "cover.label").write_text("".join("0\n" if index in (4, 5, 11) else "8\n" for index in range(12)))
    drawn = {number for pair in draws(SequenceSource(open_dataset(tmp_path)), 400) for number in pair}
    assert drawn == set(range(12)) - {4, 5, 11}


# ---- the source


def test_pairs_of_frames_with_their_boxes(clip) -> None:
    root = clip("bag", 40, {index: (index, 3, 12, 9) for index in range(40)})
    source = SequenceSource(open_dataset(f"folders:{root}"), max_gap=7)
    assert (source.name, len(source), source.notes) == (f"folders:{root}", 1, ())
    random = np.random.default_rng(3)
    for _ in range(200):
        pair = source.draw(random)
        template, search = numbers(pair)
        assert 1 <= search - template <= 7
        assert pair.template.box == Box(template, 3, 12, 9)
        assert pair.search.box == Box(search, 3, 12, 9)
        assert (pair.search.picture.dtype, pair.search.picture.shape) == (np.uint8, (24, 32, 3))


def test_long_and_short_sequences_are_drawn_alike(clip) -> None:
    clip("long", 60)
    clip("short", 6)
    source = SequenceSource(open_dataset(clip("middle", 20)), max_gap=1)
    assert len(source) == 3
    # Frames of the long one alone are above 19; a third of the draws are of it, two thirds of those above 19.
    above = np.mean([template > 19 for template, _ in draws(source, 1500)])
    assert 0.18 < above < 0.27


def test_the_same_random_numbers_give_the_same_pairs(clip) -> None:
    clip("bag")
    source = SequenceSource(open_dataset(clip("cup")))
    first = draws(source, 20, seed=5)
    draws(source, 7, seed=6)
    assert draws(source, 20, seed=5) == first
    assert draws(source, 20, seed=6) != first


def test_it_travels_by_pickle(clip) -> None:
    source = SequenceSource(open_dataset(clip("bag")))
    again = pickle.loads(pickle.dumps(source))  # noqa: S301 - made here
    assert (again.name, len(again), draws(again, 20)) == (source.name, 1, draws(source, 20))


def test_sequences_that_hardly_show_their_target_are_left_out_and_noted(clip) -> None:
    clip("bag")
    clip("cup", 20, dict.fromkeys(range(4, 20), GONE))
    source = SequenceSource(open_dataset(clip("dog", 20, dict.fromkeys(range(5, 20), GONE))))
    assert len(source) == 2
    (note,) = source.notes
    assert note.startswith("1 of 3 sequences of folders:")
    assert note.endswith("have fewer than 5 frames with a visible target and are left out: cup")


def test_nothing_to_draw_from_is_refused(clip) -> None:
    with pytest.raises(InputError, match=r"no sequence of folders:.* has 5 frames with a visible target"):
        SequenceSource(open_dataset(clip("bag", 4)))
    with pytest.raises(InputError, match="largest gap cannot be 0"):
        SequenceSource(open_dataset(clip("cup")), max_gap=0)


def test_a_test_set_is_refused(clip) -> None:
    clip("bag")
    root = clip("cup")
    (root / "cup" / "groundtruth.txt").write_text("4,3,12,9\n")
    with pytest.raises(InputError, match="keeps the truth of cup beyond the first frame to itself, as test sets do"):
        SequenceSource(open_dataset(root))
    assert len(SequenceSource(open_dataset(root, skip=["cup"]))) == 1


def test_a_missing_frame_is_named(clip) -> None:
    root = clip("bag")
    source = SequenceSource(open_dataset(root))
    for image in (root / "bag" / "img").iterdir():
        image.unlink()
    with pytest.raises(FootageError, match=r"bag/img/00\d\d\.png cannot be read: No such file"):
        source.draw(np.random.default_rng(0))


# ---- videos


@pytest.fixture
def video(tmp_path: Path) -> SequenceSource:
    """Pairs of a rendered clip of 20 frames."""
    Scene(160, 120, frames=20).write_video(tmp_path / "clip.mp4")
    return SequenceSource(open_dataset(f"video:{tmp_path / 'clip.mp4'}"))


def pictures(source: SequenceSource, seeds: tuple[int, ...]) -> list[bytes]:
    pairs = [source.draw(np.random.default_rng(seed)) for seed in seeds]
    return [view.picture.tobytes() for pair in pairs for view in pair]


def _send(source: SequenceSource, seeds: tuple[int, ...], pipe) -> None:
    pipe.send(pictures(source, seeds))


def test_a_video_gives_the_frames_that_it_holds(video: SequenceSource, tmp_path: Path) -> None:
    frames = [frame.tobytes() for frame in open_dataset(tmp_path / "clip.mp4").sequences[0].frames]
    found = pictures(video, (0, 1, 2, 3))
    places = [frames.index(picture) for picture in found]
    assert all(template < search for template, search in zip(places[::2], places[1::2], strict=True))


# From Python 3.12 on, forking beside the threads of a library warns.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_video_is_drawn_from_in_many_processes(video: SequenceSource) -> None:
    """Both sides of a fork read on, and neither moves the other's place in the file."""
    expected = {seeds: pictures(video, seeds) for seeds in ((0, 1, 2), (3, 4, 5), (6, 7))}
    context = multiprocessing.get_context("fork")
    running = []
    for seeds in expected:
        here, there = context.Pipe()
        process = context.Process(target=_send, args=(video, seeds, there))
        process.start()
        running.append((seeds, here, process))
    assert pictures(video, (0, 1, 2)) == expected[0, 1, 2]
    for seeds, here, process in running:
        found = here.recv() if here.poll(60) else None
        process.kill()
        process.join()
        assert found == expected[seeds]


def test_a_video_travels_by_pickle(video: SequenceSource) -> None:
    before = pictures(video, (0, 1))
    assert pictures(pickle.loads(pickle.dumps(video)), (0, 1)) == before  # noqa: S301 - made here
