"""VOT's protocol of 2020 on runs whose overlaps are 1, 1/2 or 0."""

import numpy as np
import pytest
from ostrack_edge.benchmarks.metrics import (
    Anchor,
    AnchoredRun,
    Protocol,
    place_anchors,
    score,
    score_anchored,
    summarise,
)
from ostrack_edge.benchmarks.metrics.anchors import expected_overlap, score_anchored_runs
from ostrack_edge.runtime.errors import BenchmarkError

SIZE = (200, 200)
HERE, HALF, AWAY = (10.0, 10.0, 20.0, 40.0), (10.0, 10.0, 20.0, 20.0), (100.0, 100.0, 20.0, 40.0)


def truth(frames: int) -> np.ndarray:
    return np.array([HERE] * frames)


def run(anchor: Anchor, *parts: tuple[tuple[float, ...], int]) -> AnchoredRun:
    return AnchoredRun(anchor, np.array([box for box, count in parts for _ in range(count)]))


def test_anchors_run_to_the_farther_end() -> None:
    assert place_anchors(truth(121), np.zeros(121, bool)) == (
        Anchor(0),
        Anchor(50),
        Anchor(100, backward=True),
        Anchor(120, backward=True),
    )
    assert place_anchors(truth(1), np.zeros(1, bool)) == (Anchor(0),)


def test_an_anchor_moves_to_the_nearest_frame_with_a_target() -> None:
    hidden = np.zeros(121, bool)
    hidden[47:52] = True
    empty = truth(121)
    empty[120, 2] = 0
    assert [anchor.frame for anchor in place_anchors(empty, hidden)] == [0, 52, 100, 119]
    with pytest.raises(BenchmarkError, match="no frame with a target"):
        place_anchors(truth(3), np.ones(3, bool))


def test_a_run_fails_at_the_first_of_ten_misses() -> None:
    runs = [
        run(Anchor(0), (HERE, 10), (AWAY, 9), (HERE, 11)),
        run(Anchor(0), (HERE, 10), (AWAY, 10), (HERE, 10)),
        run(Anchor(29, True), (HERE, 1), (AWAY, 29)),
    ]
    scored = score_anchored_runs(truth(30), runs, SIZE)
    assert [one.tracked for one in scored] == [30, 10, 0]
    assert [one.failed for one in scored] == [False, True, True]
    assert scored[0].overlaps[:3].tolist() == [0, 1, 1]
    assert scored[1].overlap_sum == pytest.approx(9)


def test_a_frame_without_a_target_ends_a_row_of_misses() -> None:
    gone = truth(30)
    gone[15] = 0
    (scored,) = score_anchored_runs(gone, [run(Anchor(0), (HERE, 10), (AWAY, 12), (HERE, 8))], SIZE)
    assert scored.tracked == 30


def test_overlap_is_counted_in_pixels_of_the_frame() -> None:
    # Rounded to 0,0,3,2, half to even, and cut at the right edge of a frame that is two pixels wide.
    boxes = np.array([[0, 0, 2, 2], [0.5, 0.4, 2.6, 2.5]])
    (scored,) = score_anchored_runs(np.array([[0, 0, 2, 2], [0, 0, 2, 2.0]]), [AnchoredRun(Anchor(0), boxes)], (2, 9))
    assert scored.overlaps.tolist() == [0, 1]


def test_accuracy_and_robustness_over_the_runs_of_a_sequence() -> None:
    runs = [run(Anchor(0), (HERE, 1), (HALF, 29)), run(Anchor(29, True), (HERE, 10), (AWAY, 20))]
    found = score_anchored(truth(30), np.zeros(30, bool), runs, size=SIZE, name="walk")
    assert found.figures["robustness"] == pytest.approx(40 / 60)
    assert found.figures["accuracy"] == pytest.approx((29 * 0.5 + 9) / 40)
    assert found.length == 30


def test_accuracy_weighs_by_tracked_frames_and_robustness_by_length() -> None:
    sure = score_anchored(truth(30), np.zeros(30, bool), [run(Anchor(0), (HERE, 30))], size=SIZE)
    lost = score_anchored(truth(60), np.zeros(60, bool), [run(Anchor(0), (HERE, 6), (AWAY, 54))], size=SIZE)
    found = summarise([sure, lost], eao_lengths=(10, 20)).figures
    assert found["accuracy"] == pytest.approx((29 + 5) / (30 + 6))
    assert found["robustness"] == pytest.approx((30 * 1 + 60 * 6 / 60) / 90)


def test_expected_overlap_by_run_length() -> None:
    whole = score_anchored(truth(12), np.zeros(12, bool), [run(Anchor(0), (HERE, 1), (HALF, 11))], size=SIZE)
    lost = score_anchored(truth(14), np.zeros(14, bool), [run(Anchor(0), (HERE, 3), (AWAY, 11))], size=SIZE)
    curve = expected_overlap([whole.runs, lost.runs], 21)
    assert curve[0] == 0
    assert curve[1] == pytest.approx((0.5 + 1) / 2)
    assert curve[4] == pytest.approx((0.5 + 2 / 4) / 2)
    # From 12 on the run that ended well has no say; from 14 on the failed one goes on with zeros.
    assert curve[12] == pytest.approx(2 / 12)
    assert curve[20] == pytest.approx(2 / 19)
    figures = summarise([whole, lost], Protocol.VOT2020, eao_lengths=(2, 4))
    assert figures.figures["eao"] == pytest.approx(np.mean([0.75, (0.5 + 2 / 3) / 2]))
    assert len(figures.curves["eao"].values) == 4


def test_one_run_from_the_first_frame() -> None:
    found = score(truth(30), np.zeros(30, bool), truth(30), Protocol.VOT2020, size=SIZE)
    assert found.figures["accuracy"] == pytest.approx(29 / 30)
    assert found.figures["robustness"] == 1
    assert found.figures["success_auc"] == pytest.approx(20 / 21)


def test_runs_of_another_sequence_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="walk: the run from frame 10 has 30 boxes, and there are 20 frames"):
        score_anchored(truth(30), np.zeros(30, bool), [run(Anchor(10), (HERE, 30))], size=SIZE, name="walk")
    with pytest.raises(BenchmarkError, match="no frame 40"):
        score_anchored(truth(30), np.zeros(30, bool), [run(Anchor(40), (HERE, 30))], size=SIZE, name="walk")
    with pytest.raises(BenchmarkError, match="no run to score"):
        score_anchored(truth(30), np.zeros(30, bool), [], size=SIZE)
    with pytest.raises(BenchmarkError, match="lengths of at least 1 that rise"):
        summarise([score(truth(3), np.zeros(3, bool), truth(3), Protocol.VOT2020, size=SIZE)], eao_lengths=(5, 5))


def test_no_expected_overlap_where_no_run_is_long_enough() -> None:
    runs = [run(Anchor(0), (HERE, 30))]
    found = score_anchored(truth(30), np.zeros(30, bool), runs, size=SIZE)
    assert "eao" not in summarise([found]).figures
    assert "eao" not in summarise([found], eao_lengths=(30, 40)).figures
    assert summarise([found], eao_lengths=(29, 40)).figures["eao"] > 0
