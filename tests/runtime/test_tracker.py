"""The loop: what it accepts, what it refuses, and that every engine sees the same crops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import Box, ColorOrder, OSTrackEdgeError, Tracker, TrackResult
from ostrack_edge.datasets import Scene, open_footage
from ostrack_edge.export import untrained_network
from ostrack_edge.export.reference import ReferenceBackend, SavingsBackend
from ostrack_edge.runtime.backends import SearchResult, load_backend
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BackendError, InputError, TrackerStateError
from ostrack_edge.runtime.network import NetworkGeometry

TINY = NetworkGeometry("tiny", 64, 128, 2.0, 4.0, 64, 4, 1, 128, 16, (1, 2), (0.7, 0.7))
FRAME = np.full((120, 160, 3), 90, np.uint8)


class Echo:
    """An engine that answers with a box of its choosing, and remembers what it was shown."""

    name = "echo"
    network = TINY
    color = ColorOrder.BGR
    batch: int | None = 1
    timings_ms: Mapping[str, float] = {"inference": 1.0}

    def __init__(self, answer: tuple[float, float, float, float] = (0.5, 0.5, 0.25, 0.25)) -> None:
        self.answer = answer
        self.seen: list[np.ndarray] = []

    def describe(self) -> Mapping[str, str]:
        return {}

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> object:
        self.template, self.template_box = template.copy(), template_box.copy()
        return "features"

    def search(self, features: object, search: np.ndarray, window: np.ndarray) -> SearchResult:
        assert features == "features"
        self.seen.append(search.copy())
        return SearchResult(np.array([self.answer], np.float32), np.array([0.75], np.float32), ())


def test_the_same_box_in_the_crop_s_centre_stays_where_it_is() -> None:
    tracker = Tracker(Echo())
    tracker.init(FRAME, (40, 30, 20, 20))
    result = tracker.update(FRAME)
    np.testing.assert_allclose(result.box, (40, 30, 20, 20), atol=1e-4)
    assert isinstance(result.box, Box)
    assert result.score == 0.75
    assert tracker.box == result.box


def test_shapes_and_types_that_an_engine_is_given() -> None:
    engine = Echo()
    tracker = Tracker(engine)
    tracker.init(FRAME, (40, 30, 20, 10))
    tracker.update(FRAME)
    assert engine.template.shape == (1, 64, 64, 3)
    assert engine.template.dtype == np.uint8
    assert engine.template_box.shape == (1, 4)
    assert engine.template_box.dtype == np.float32
    assert engine.seen[0].shape == (1, 128, 128, 3)


def test_colour_is_swapped_only_where_frames_and_engine_differ() -> None:
    frame = np.zeros((120, 160, 3), np.uint8)
    frame[:, :, 0] = 200
    for color, channel in (("bgr", 0), ("rgb", 2)):
        engine = Echo()
        tracker = Tracker(engine, color=color)
        tracker.init(frame, (60, 40, 20, 20))
        assert engine.template[0, 32, 32].tolist() == [200 * (i == channel) for i in range(3)]


def test_use_before_init_is_answered_in_words() -> None:
    tracker = Tracker(Echo())
    for use in (lambda: tracker.update(FRAME), lambda: tracker.box, lambda: setattr(tracker, "box", (1, 2, 3, 4))):
        with pytest.raises(TrackerStateError, match="call init"):
            use()


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (None, "not NoneType"),
        (FRAME.tolist(), "not list"),
        (FRAME.astype(np.float32), "uint8, not float32"),
        (FRAME[:0], "empty"),
        (FRAME[:, :, :2], "1, 3 or 4"),
        (FRAME[None], "1, 3 or 4"),
    ],
)
def test_frames_that_are_none_are_refused(frame: object, words: str) -> None:
    tracker = Tracker(Echo())
    with pytest.raises(InputError, match=words):
        tracker.init(frame, (40, 30, 20, 20))  # type: ignore[arg-type]
    tracker.init(FRAME, (40, 30, 20, 20))
    with pytest.raises(InputError, match=words):
        tracker.update(frame)  # type: ignore[arg-type]
    assert tracker.box == (40, 30, 20, 20)


@pytest.mark.parametrize("box", [(200, 30, 20, 20), (40, 120, 20, 20), (-20, 30, 20, 20), (40, -99, 20, 20)])
def test_a_box_outside_the_frame_is_refused_and_the_old_target_stays(box: tuple[float, ...]) -> None:
    tracker = Tracker(Echo())
    tracker.init(FRAME, (40, 30, 20, 20))
    with pytest.raises(InputError, match="outside the frame of 160 x 120"):
        tracker.init(FRAME, box)
    assert tracker.box == (40, 30, 20, 20)
    tracker.box = box
    with pytest.raises(InputError, match="outside the frame"):
        tracker.update(FRAME)


def test_setting_a_bad_box_leaves_the_good_one() -> None:
    tracker = Tracker(Echo())
    tracker.init(FRAME, (40, 30, 20, 20))
    with pytest.raises(InputError, match="not finite"):
        tracker.box = (1, 2, float("nan"), 4)
    assert tracker.box == (40, 30, 20, 20)


def test_results_do_not_change_with_the_next_update() -> None:
    engine = Echo()
    stage = np.array([[1, 2, 3]], np.int32)
    engine.search = lambda features, search, window: SearchResult(  # type: ignore[method-assign]
        np.array([engine.answer], np.float32), np.ones(1, np.float32), (stage,)
    )
    tracker = Tracker(engine)
    tracker.init(FRAME, (40, 30, 20, 20))
    kept = tracker.update(FRAME).kept
    stage[:] = 0
    assert kept[0].tolist() == [1, 2, 3]


def test_options_that_do_not_fit_are_refused(tiny_bundle: Path, bundle_of: Callable[..., Path]) -> None:
    engine = Echo()
    engine.batch = 4
    with pytest.raises(InputError, match="exactly 4 targets"):
        Tracker(engine)
    with pytest.raises(InputError, match="'bgr' or 'rgb'"):
        Tracker(Echo(), color="hsv")
    with pytest.raises(InputError, match="precision is 'fp64'"):
        Tracker.load(tiny_bundle, precision="fp64")
    with pytest.raises(BackendError, match=r"known are: auto, tensorrt, .*, onnxruntime$"):
        Tracker.load(tiny_bundle, backend="abacus")
    with pytest.raises(InputError, match="threads is 0"):
        Tracker.load(tiny_bundle, threads=0)
    with pytest.raises(OSTrackEdgeError, match="--batch any"):
        Tracker.load(bundle_of(batch=2))


@pytest.mark.parametrize("options", [{}, {"color": "rgb"}, {"batch": None}, {"maps": True}])
def test_every_engine_gives_the_same_boxes_on_a_clip(bundle_of: Callable[..., Path], options: dict) -> None:
    scene = Scene(width=320, height=240, frames=12, seed=3)
    network = untrained_network(TINY)
    trackers = [
        Tracker.load(bundle_of(**options)),
        Tracker(ReferenceBackend(network)),
        Tracker(SavingsBackend(network, ColorOrder.BGR)),
    ]
    for tracker in trackers:
        tracker.init(scene.frame(0), scene.box(0))
    for i in range(1, len(scene)):
        frame = scene.frame(i)
        results = [tracker.update(frame) for tracker in trackers]
        for result in results[1:]:
            np.testing.assert_allclose(result.box, results[0].box, atol=1e-3)
            assert abs(result.score - results[0].score) < 1e-5
            for one, other in zip(result.kept, results[0].kept, strict=True):
                assert set(one.tolist()) == set(other.tolist())
    assert trackers[0].timings_ms.keys() == {"crop", "copy", "inference", "decode"}


FOOTAGE = [
    "video/bag.avi",
    "video/efficienttam_car.mp4",
    "video/edgetam_21_biker.mp4",
    "video/sam2_01_dog.mp4",
    "sequences/Woman",
]


@pytest.mark.parametrize("name", FOOTAGE)
def test_real_footage_gives_the_pytorch_tracker_s_box_from_every_state(
    shared: Path, tiny_bundle: Path, name: str
) -> None:
    exported = Tracker.load(tiny_bundle)
    reference = Tracker(ReferenceBackend(untrained_network(TINY)))
    with open_footage(shared / name) as footage:
        width, height = footage.size
        start = Box(width * 0.4, height * 0.4, width * 0.2, height * 0.2)
        compared = 0
        for frame in itertools.islice(footage, 25):
            if compared == 0:
                exported.init(frame, start)
                reference.init(frame, start)
            reference.box = exported.box
            np.testing.assert_allclose(exported.update(frame).box, reference.update(frame).box, atol=0.05)
            compared += 1
    assert compared == 25


def test_kinds_of_frame_give_the_same_box(tiny_bundle: Path) -> None:
    scene = Scene(width=320, height=240, frames=3, seed=4)
    grey = [f.mean(2).astype(np.uint8) for f in map(scene.frame, range(3))]
    kinds = [
        lambda f: f,
        lambda f: f[:, :, None],
        lambda f: np.dstack([f, f, f]),
        lambda f: np.dstack([f, f, f, f]),
        lambda f: np.asfortranarray(np.dstack([f, f, f])),
        lambda f: np.repeat(np.repeat(f, 2, 0), 2, 1)[::2, ::2],
    ]
    boxes = []
    for kind in kinds:
        tracker = Tracker.load(tiny_bundle)
        tracker.init(kind(grey[0]), scene.box(0))
        boxes.append([tracker.update(kind(f)).box for f in grey[1:]])
    assert all(found == boxes[0] for found in boxes)


def test_features_of_another_engine_are_refused(tiny_bundle: Path) -> None:
    engine = load_backend(Bundle.open(tiny_bundle))
    crop, window = np.zeros((1, 128, 128, 3), np.uint8), np.ones((8, 8), np.float32)
    with pytest.raises(InputError, match="another backend"):
        engine.search("features", crop, window)
    with pytest.raises(InputError, match="batch of 1, not 2"):
        engine.embed_template(np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 4), np.float32))


def test_a_symbolic_batch_serves_several_targets_at_once(bundle_of: Callable[..., Path]) -> None:
    engine = load_backend(Bundle.open(bundle_of(batch=None)))
    random = np.random.default_rng(0)
    template = random.integers(0, 256, (3, 64, 64, 3), np.uint8)
    search = random.integers(0, 256, (3, 128, 128, 3), np.uint8)
    window, box = np.ones((8, 8), np.float32), np.zeros((3, 4), np.float32)
    together = engine.search(engine.embed_template(template, box), search, window)
    boxes = together.box.copy()
    for i in range(3):
        alone = engine.search(engine.embed_template(template[i : i + 1], box[:1]), search[i : i + 1], window)
        np.testing.assert_allclose(alone.box[0], boxes[i], atol=1e-6)


def test_a_result_prints_box_and_score_and_unpacks_into_all_three() -> None:
    kept = (np.arange(3, dtype=np.int32),)
    result = TrackResult(Box(1, 2, 3, 4), 0.5, kept)
    assert repr(result) == "TrackResult(box=Box(x=1, y=2, width=3, height=4), score=0.5)"
    box, score, stages = result
    assert (box, score) == (Box(1, 2, 3, 4), 0.5)
    assert stages is kept
