from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.benchmarks import peers
from ostrack_edge.benchmarks.accuracy import RunOptions, StartPlan, open_runs, peer_entrant, run_accuracy, score_runs
from ostrack_edge.benchmarks.peers import OpenCvTracker, PeerSpec, parse_peer, peers_here, whole_box
from ostrack_edge.datasets import Scene
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import BenchmarkError


def test_whole_boxes() -> None:
    assert whole_box(Box(10.4, 20.6, 30.4, 5.2), 100, 80) == (10, 21, 30, 5)
    assert whole_box(Box(-5, -5, 20, 20), 100, 80) == (0, 0, 15, 15)
    assert whole_box(Box(90, 70, 50, 50), 100, 80) == (90, 70, 10, 10)
    assert whole_box(Box(5, 5, 0.2, 0.2), 100, 80) == (5, 5, 1, 1)
    assert whole_box(Box(300, 300, 5, 5), 100, 80) == (99, 79, 1, 1)


def test_peers_that_are_not_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, sentence in [
        ("siam:", "there is no peer 'siam'; known are: nano:FOLDER"),
        ("nano", "nano needs its model: give nano:FOLDER"),
        (
            f"nano:{tmp_path}",
            r"nanotrack_backbone_sim\.onnx is not there; nano:FOLDER needs nanotrack_backbone_sim\.onnx",
        ),
        (f"vit:{tmp_path}", "is not there; vit:FILE needs a model file"),
        ("mil:somewhere", "mil: takes no files, and 'somewhere' was given"),
    ]:
        with pytest.raises(BenchmarkError, match=sentence):
            parse_peer(text)
    monkeypatch.setitem(peers.KINDS, "csrt", peers.PeerKind(("TrackerOfTheFuture",), "csrt:"))
    with pytest.raises(BenchmarkError, match=f"OpenCV {cv2.__version__} here has no TrackerOfTheFuture; it has: .*mil"):
        parse_peer("csrt:")
    assert "mil" in peers_here()


def test_a_damaged_model_is_one_sentence(tmp_path: Path) -> None:
    for name in peers.NANO_FILES:
        (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(BenchmarkError, match=r"OpenCV does not load .*nanotrack_backbone_sim\.onnx"):
        OpenCvTracker(parse_peer(f"nano:{tmp_path}"))


def test_mil_moves_by_steps() -> None:
    scene = Scene(320, 240, frames=5)
    tracker = OpenCvTracker(parse_peer("mil:"))
    tracker.init(scene.frame(0), scene.box(0))
    before = scene.box(0)
    for i in range(1, 5):
        box, score = tracker.update(scene.frame(i))
        # It keeps its size, and searches 25 pixels around where it was.
        assert box[2:] == (round(scene.box(0).width), round(scene.box(0).height))
        assert max(abs(box.x - before.x), abs(box.y - before.y)) < 27
        assert math.isnan(score)
        before = box


def test_a_lost_target_leaves_the_last_box(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fickle:
        answers = iter([(True, (1, 2, 3, 4)), (False, (0, 0, 0, 0))])

        def init(self, frame: np.ndarray, box: tuple[int, ...]) -> None:
            self.box = box

        def update(self, frame: np.ndarray) -> tuple[bool, tuple[int, ...]]:
            return next(self.answers)

        def getTrackingScore(self) -> float:  # noqa: N802 - OpenCV's name
            return 0.5

    monkeypatch.setattr(cv2, "TrackerFickle_create", Fickle, raising=False)
    monkeypatch.setitem(peers.KINDS, "fickle", peers.PeerKind(("TrackerFickle",), "fickle:"))
    tracker = OpenCvTracker(PeerSpec("fickle", "TrackerFickle", ()))
    frame = np.zeros((48, 64, 3), np.uint8)
    tracker.init(frame, Box(5, 5, 5, 5))
    assert tracker.update(frame) == (Box(1, 2, 3, 4), 0.5)
    assert tracker.update(frame) == (Box(1, 2, 3, 4), 0.5)


def test_opencvs_own_errors_are_sentences() -> None:
    tracker = OpenCvTracker(parse_peer("mil:"))
    with pytest.raises(BenchmarkError, match="OpenCV's TrackerMIL failed: "):
        tracker.init(np.zeros((0, 0, 3), np.uint8), Box(0, 0, 5, 5))


NANO = {"birds": 0.792, "Football1": 0.737, "MotorcycleChase": 0.818}
"""Success AUC of NanoTrack v2 on the same frames, measured elsewhere."""


def test_nanotrack_reaches_the_figures_measured_elsewhere(shared: Path, tmp_path: Path) -> None:
    spec = f"folders:{shared / 'sequences'}"
    options = RunOptions(spec, "otb", tmp_path / "run", "", StartPlan(), jobs=2)
    outcome = run_accuracy(options, open_dataset(spec, only=NANO), [peer_entrant(f"nano:{shared / 'peers'}")])
    assert outcome.failures == ()
    (scores,) = score_runs(open_runs([tmp_path / "run"]))
    found = {s.sequence.name: s.figure("success_auc") for s in scores.sequences}
    assert found == {name: pytest.approx(auc, abs=0.01) for name, auc in NANO.items()}


def test_two_peers_of_one_kind_have_names(tmp_path: Path) -> None:
    for folder in ("a", "b=c"):
        (tmp_path / folder).mkdir()
        for name in peers.NANO_FILES:
            (tmp_path / folder / name).write_bytes(folder.encode())
    first, second = (peer_entrant(text) for text in (f"nano:{tmp_path / 'b=c'}", f"small=nano:{tmp_path / 'a'}"))
    assert (first.name, second.name) == ("nano", "small")
    assert first.record.identity != second.record.identity
    assert parse_peer(f"small=nano:{tmp_path / 'a'}").name == "nano"
    with pytest.raises(BenchmarkError, match="'a/b' is no name for an entrant; give --peer NAME=mil:"):
        peer_entrant("a/b=mil:")


def test_two_peers_of_one_name_are_told_how_to_name_them(tmp_path: Path, clips: Path) -> None:
    options = RunOptions(f"folders:{clips}", "otb", tmp_path / "run", "", StartPlan())
    with pytest.raises(BenchmarkError, match=r"two entrants are called mil; .*--peer NAME=KIND:PLACE"):
        run_accuracy(options, open_dataset(options.dataset), [peer_entrant("mil:"), peer_entrant("mil:")])
