"""Targets and their group: the published loop where all is well, and bounds where it is not."""

from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import Box, Tracker
from ostrack_edge.datasets import Scene
from ostrack_edge.runtime.geometry import crop_window
from ostrack_edge.service.frames import CapturedFrame
from ostrack_edge.service.targets.group import TargetGroup
from ostrack_edge.service.targets.plan import MAX_GROWTH, follow, look_for
from ostrack_edge.service.targets.state import TargetState, Thresholds
from ostrack_edge.service.targets.target import Patch, Target

from .live import SIZE, START, SquareBackend, picture


def frame(image: np.ndarray, number: int = 0) -> CapturedFrame:
    return CapturedFrame(number, image, 0.0, 0.0)


def step(group: TargetGroup, target: Target, image: np.ndarray) -> None:
    search = target.next_search(4.0, (image.shape[1], image.shape[0]))
    found = group.search(image, {1: search})[1]
    target.found(image, found.box, found.score)


def shown(image: np.ndarray, box: Box = START, thresholds: Thresholds | None = None) -> tuple[TargetGroup, Target]:
    group, target = TargetGroup(SquareBackend()), Target(frame(image), box, thresholds or Thresholds())
    group.add(1, target.patch)
    return group, target


@pytest.mark.parametrize("start", [Box(60, 40, 24, 24), Box(3.5, 2.5, 31, 17), Box(141, 99, 17.5, 19)])
def test_a_patch_gives_the_template_of_the_whole_frame(start: Box) -> None:
    image = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    group = TargetGroup(SquareBackend())
    group.add(1, Patch.cut(image, start))
    group.add(2, Patch(image, start))
    assert np.array_equal(group.template(1), group.template(2))


def test_a_followed_target_goes_where_the_tracker_goes(tiny_bundle: Path) -> None:
    # Made-up weights score low: with thresholds of zero nothing but the published loop is left.
    zero = Thresholds(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    scene = Scene(320, 240, frames=8)
    tracker = Tracker.load(tiny_bundle, threads=1)
    tracker.init(scene.frame(0), scene.box(0))
    group, target = TargetGroup(tracker.backend), Target(frame(scene.frame(0)), scene.box(0), zero)
    group.add(1, target.patch)
    for i in range(1, 8):
        step(group, target, scene.frame(i))
        assert target.box == tracker.update(scene.frame(i)).box


def test_targets_share_a_call_where_the_graphs_take_any_number() -> None:
    backend = SquareBackend(batch=None)
    group = TargetGroup(backend)
    for number in (1, 2, 3):
        group.add(number, Patch.cut(picture(), START))
    found = group.search(picture(), {n: follow(START, 4.0) for n in (1, 2, 3)})
    assert backend.calls == [3]
    assert sorted(found) == [1, 2, 3]
    # Another frame with the same targets embeds nothing again.
    before = len(backend.embedded)
    group.search(picture(), {n: follow(START, 4.0) for n in (1, 2, 3)})
    assert len(backend.embedded) == before


@pytest.mark.parametrize(("batch", "calls"), [(1, [1, 1, 1]), (2, [2, 2]), (4, [4])])
def test_graphs_of_a_fixed_batch_get_just_that(batch: int, calls: list[int]) -> None:
    backend = SquareBackend(batch)
    group = TargetGroup(backend)
    places = {1: Box(20, 20, 24, 24), 2: Box(60, 40, 24, 24), 3: Box(100, 60, 24, 24)}
    for number, box in places.items():
        group.add(number, Patch.cut(picture(box), box))
    image = np.maximum.reduce([picture(box) for box in places.values()])
    found = group.search(image, {n: follow(box, 1.5) for n, box in places.items()})
    assert backend.calls == calls
    for number, box in places.items():
        assert found[number].box == pytest.approx(box, abs=1.5)


def test_a_batch_gives_what_single_searches_give(tiny_bundle: Path) -> None:
    backend = Tracker.load(tiny_bundle, threads=1).backend
    if backend.batch not in (None, 1):
        pytest.fail("the tiny bundle takes a fixed batch; this test wants any")
    scene = Scene(320, 240)
    group = TargetGroup(backend)
    boxes = {1: scene.box(0), 2: Box(40, 40, 50, 30)}
    for number, box in boxes.items():
        group.add(number, Patch.cut(scene.frame(0), box))
    both = group.search(scene.frame(1), {n: follow(box, 4.0) for n, box in boxes.items()})
    for number, box in boxes.items():
        alone = group.search(scene.frame(1), {number: follow(box, 4.0)})[number]
        assert alone.box == pytest.approx(both[number].box, abs=0.05)
        assert alone.score == pytest.approx(both[number].score, abs=1e-4)


# ---- when it is lost


def test_a_target_that_leaves_is_reported() -> None:
    group, target = shown(picture())
    for i in range(30):
        step(group, target, picture(None, seed=i))
    assert target.state is TargetState.LOST


@pytest.mark.parametrize("empty", [picture(None), picture(None, shade=0), np.zeros((120, 160, 3), np.uint8)])
def test_the_box_does_not_grow_where_there_is_nothing(empty: np.ndarray) -> None:
    # The network answers with half of its crop, twice the box: the published loop would double it in every frame.
    group, target = shown(picture())
    for _ in range(300):
        step(group, target, empty)
        assert (target.box.width, target.box.height) == (START.width, START.height)


def test_in_doubt_the_box_keeps_about_its_size() -> None:
    target = Target(frame(picture()), START, Thresholds())
    image = picture()
    for factor in (1.5, 2.2, 3.3, 5.0, 8.0):
        box = Box(60, 40, 24 * factor, 24 * factor)
        target.found(image, box, 0.33)
    assert target.state is not TargetState.LOST
    assert target.box.width <= 2 * 24 * 1.5


def test_it_is_found_again_where_it_comes_back() -> None:
    group, target = shown(picture())
    step(group, target, picture(seed=1))
    for i in range(30):
        step(group, target, picture(None, seed=i))
    back = Box(120, 85, 24, 24)
    for i in range(120):
        step(group, target, picture(back, seed=i))
    assert target.state is TargetState.TRACKING
    assert target.box == pytest.approx(back, abs=2)


def test_the_search_for_a_lost_target_is_bounded_and_covers_the_frame() -> None:
    last, size = Box(400, 300, 40, 40), (640, 480)
    usual = crop_window(last, 4.0).side
    searches = [look_for(last, 4.0, n, size) for n in range(200)]
    assert max(s.window.side for s in searches) <= MAX_GROWTH * usual + 1
    assert not any(s.hann for s in searches)
    seen = np.zeros((480, 640), bool)
    for s in searches:
        seen[max(0, s.window.y) : s.window.y + s.window.side, max(0, s.window.x) : s.window.x + s.window.side] = True
    assert seen.all()


def test_frames_of_another_size_move_the_box_along() -> None:
    target = Target(frame(picture()), START, Thresholds())
    target.resized(SIZE, (320, 240))
    assert target.box == Box(120, 80, 48, 48)
