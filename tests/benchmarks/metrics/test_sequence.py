"""Every protocol on boxes whose overlaps and distances can be worked out by hand."""

import math

import numpy as np
import pytest
from ostrack_edge.benchmarks.metrics import (
    FIGURES,
    Protocol,
    SequenceScore,
    main_figure,
    protocol_of,
    score,
    summarise,
)
from ostrack_edge.datasets import agreement
from ostrack_edge.runtime.errors import BenchmarkError
from ostrack_edge.runtime.geometry import Box

NAN = (math.nan,) * 4
HERE = (100.0, 100.0, 20.0, 40.0)
HALF = (100.0, 100.0, 20.0, 20.0)
"""Half of HERE: IoU 0.5, centre 10 pixels off, a quarter of the height."""
AWAY = (300.0, 100.0, 20.0, 40.0)
"""IoU 0, 200 pixels off, ten widths."""

TRUTH = np.array([HERE] * 4)
PRESENT = np.zeros(4, bool)
BOXES = np.array([HERE, HERE, HALF, AWAY])


def one(
    protocol: Protocol, boxes: np.ndarray = BOXES, truth: np.ndarray = TRUTH, absent: np.ndarray = PRESENT
) -> SequenceScore:
    return score(truth, absent, boxes, protocol, size=(640, 480), name="walk", category="person")


def test_otb_counts_every_frame_and_the_first() -> None:
    found = one(Protocol.OTB)
    assert found.frames == 4
    assert found.iou == pytest.approx([1, 1, 0.5, 0])
    assert found.centre_error == pytest.approx([0, 0, 10, 200])
    assert found.norm_error == pytest.approx([0, 0, 0.25, 10])
    # Strictly above: IoU 1 passes 20 of 21 thresholds, 0.5 passes 10, 0 passes none.
    assert found.figures["success_auc"] == pytest.approx((20 + 20 + 10 + 0) / (4 * 21))
    assert found.figures["op50"] == 0.5
    assert found.figures["op75"] == 0.5
    assert found.figures["precision_20px"] == 0.75
    assert found.figures["norm_precision_at_0.2"] == 0.5
    # An error of 0 passes all 51 thresholds, 0.25 those from 0.25 to 0.5: 26.
    assert found.figures["norm_precision_area_to_0.5"] == pytest.approx((51 + 51 + 26) / (4 * 51))
    assert found.figures["mean_iou"] == pytest.approx(2.5 / 4)
    assert found.curves["precision"].values[9:11] == (0.5, 0.75)
    assert found.success_per_frame.mean() == pytest.approx(found.figures["success_auc"])


def test_otb_is_the_agreement_of_two_lists_of_boxes() -> None:
    rng = np.random.default_rng(1)
    truth, boxes = rng.uniform(1, 30, (2, 50, 4))
    boxes[0] = truth[0]
    expected = agreement([Box(*b) for b in boxes.tolist()], [Box(*b) for b in truth.tolist()])
    assert expected is not None
    found = score(truth, np.zeros(50, bool), boxes).figures
    assert (found["success_auc"], found["mean_iou"]) == pytest.approx((expected.success, expected.mean_iou))


def test_the_first_result_is_the_truth_but_not_for_itb() -> None:
    boxes = np.array([AWAY, HERE, HERE, HERE])
    assert one(Protocol.OTB, boxes).figures["op50"] == 1.0
    assert one(Protocol.LASOT, boxes).figures["op50"] == 1.0
    assert one(Protocol.TRACKINGNET, boxes).figures["op50"] == 1.0
    assert one(Protocol.ITB, boxes).figures["op50"] == 0.75


def test_an_empty_result_repeats_the_one_before_where_the_toolkit_does_so() -> None:
    boxes = np.array([HERE, HERE, NAN, (0, 0, 0, 0)])
    assert one(Protocol.OTB, boxes).figures["op50"] == 1.0
    assert one(Protocol.LASOT, boxes).figures["op50"] == 1.0
    assert one(Protocol.TRACKINGNET, boxes).figures["op50"] == 0.5
    assert one(Protocol.GOT10K, boxes).figures["sr50"] == pytest.approx(1 / 3)


def test_absent_frames_leave_otb_miss_in_lasot_and_are_near_in_uav123() -> None:
    truth = np.array([HERE, HERE, NAN, HERE])
    otb, lasot, uav = (one(p, truth=truth) for p in (Protocol.OTB, Protocol.LASOT, Protocol.UAV123))
    assert (otb.frames, lasot.frames, uav.frames) == (3, 4, 4)
    assert otb.figures["op50"] == pytest.approx(2 / 3)
    assert lasot.figures["op50"] == uav.figures["op50"] == 0.5
    assert otb.figures["precision_20px"] == pytest.approx(2 / 3)
    assert lasot.figures["precision_20px"] == 0.5
    assert uav.figures["precision_20px"] == 0.75
    assert uav.figures["norm_precision_at_0.2"] == 0.75
    assert lasot.figures["mean_iou"] == pytest.approx(2 / 3)
    assert lasot.success_per_frame.mean() == pytest.approx(lasot.figures["success_auc"])
    assert np.isnan(lasot.iou[2])


def test_flagged_frames_count_as_absent_though_they_have_a_truth() -> None:
    flagged = np.array([False, False, False, True])
    assert one(Protocol.OTB, absent=flagged).figures["op50"] == pytest.approx(2 / 3)
    assert one(Protocol.LASOT, absent=flagged).figures["op50"] == 0.5
    assert one(Protocol.GOT10K, absent=flagged).figures["ao"] == pytest.approx((1 + 0.5) / 2)


def test_got10k_leaves_out_the_first_frame_and_bounds_boxes_to_the_frame() -> None:
    found = one(Protocol.GOT10K)
    assert found.frames == 3
    assert math.isnan(found.iou[0])
    assert found.figures["ao"] == pytest.approx(1.5 / 3)
    assert found.figures["sr50"] == pytest.approx(1 / 3)
    assert found.figures["sr75"] == pytest.approx(1 / 3)
    assert len(found.curves["success"].values) == 101
    # The part of both beyond the right edge is no part of the overlap: 10 of 20 columns in common, not 30 of 60.
    truth = np.array([HERE, (620, 100, 60, 40)])
    boxes = np.array([HERE, (630, 100, 60, 40)])
    bounded = score(truth, np.zeros(2, bool), boxes, Protocol.GOT10K, size=(640, 480))
    assert bounded.figures["ao"] == pytest.approx(0.5)


def test_trackingnet_rounds_to_whole_pixels_and_takes_trapezoids() -> None:
    boxes = np.array([HERE, (100.4, 99.6, 20.4, 39.6), HALF, AWAY])
    found = one(Protocol.TRACKINGNET, boxes)
    assert found.iou == pytest.approx([1, 1, 0.5, 0])
    # The curve is 0.75 at 0 to 0.45, 0.5 at 0.5 to 0.95, 0 at 1; its ends count half.
    assert found.figures["success_auc"] == pytest.approx((0.75 / 2 + 9 * 0.75 + 10 * 0.5) / 20)
    # Within 0 to 7.5 pixels: 0.5, four thresholds; within 10 to 50: 0.75, seventeen.
    assert found.figures["precision_area_to_50px"] == pytest.approx((0.5 / 2 + 3 * 0.5 + 16 * 0.75 + 0.75 / 2) / 20)
    assert found.figures["precision_20px"] == 0.75


def test_itb_is_the_mean_overlap_of_frames_with_a_target() -> None:
    found = one(Protocol.ITB, absent=np.array([False, True, False, False]))
    assert found.figures["miou"] == pytest.approx(1.5 / 3)
    assert found.figures["op50"] == 0.25


def test_more_results_than_frames_are_cut_where_the_toolkit_cuts_them() -> None:
    longer = np.concatenate([BOXES, [HERE]])
    assert one(Protocol.LASOT, longer).figures == one(Protocol.LASOT).figures
    with pytest.raises(BenchmarkError, match="walk: the result has 5 boxes and the truth 4 frames"):
        one(Protocol.OTB, longer)


def test_what_cannot_be_scored_is_said_in_a_sentence() -> None:
    with pytest.raises(BenchmarkError, match="3 boxes and the truth 4 frames; is it the result of another sequence"):
        one(Protocol.LASOT, BOXES[:3])
    with pytest.raises(BenchmarkError, match="truth is hidden but for the first frame"):
        one(Protocol.GOT10K, truth=TRUTH[:1], absent=PRESENT[:1])
    with pytest.raises(BenchmarkError, match="no frame of 4 has a truth"):
        one(Protocol.LASOT, absent=np.ones(4, bool))
    with pytest.raises(BenchmarkError, match="2 absence flags for 4 frames"):
        one(Protocol.OTB, absent=PRESENT[:2])
    with pytest.raises(BenchmarkError, match=r"not an array \[4, 2\]"):
        one(Protocol.OTB, BOXES[:, :2])
    with pytest.raises(BenchmarkError, match="walk: the protocol got10k bounds boxes"):
        score(TRUTH, PRESENT, BOXES, Protocol.GOT10K, name="walk")


def test_the_data_set_chooses_the_protocol() -> None:
    assert protocol_of("got10k") is Protocol.GOT10K
    assert protocol_of("lasot-ext") is Protocol.LASOT
    assert protocol_of("nfs") is protocol_of("folders") is protocol_of("vot") is Protocol.OTB
    assert main_figure(Protocol.GOT10K) == "ao"


@pytest.mark.parametrize("protocol", list(Protocol))
def test_every_figure_has_a_name_and_a_meaning(protocol: Protocol) -> None:
    figures = summarise([one(protocol)], eao_lengths=(1, 5)).figures
    assert set(figures) <= set(FIGURES)
    assert main_figure(protocol) in figures


def test_sequences_weigh_alike_and_got10k_pools_frames() -> None:
    good = score(TRUTH[:2], PRESENT[:2], TRUTH[:2], Protocol.OTB)
    found = summarise([good, one(Protocol.OTB)])
    assert (found.sequences, found.frames) == (2, 6)
    assert found.figures["op50"] == pytest.approx((1 + 0.5) / 2)
    assert found.curves["success"].mean() == pytest.approx(found.figures["success_auc"])
    size = (640, 480)
    dog = score(TRUTH[:2], PRESENT[:2], TRUTH[:2], Protocol.GOT10K, size=size, category="dog")
    pooled = summarise([dog, one(Protocol.GOT10K), one(Protocol.GOT10K)])
    assert pooled.figures["ao"] == pytest.approx((1 + 2 * 1.5) / 7)
    assert pooled.figures["mao"] == pytest.approx((1 + 0.5) / 2)
    assert pooled.figures["sr50"] == pytest.approx((1 + 2) / 7)
    assert pooled.figures["msr50"] == pytest.approx((1 + 1 / 3) / 2)
    nameless = score(TRUTH[:2], PRESENT[:2], TRUTH[:2], Protocol.GOT10K, size=size)
    assert "mao" not in summarise([dog, nameless]).figures


def test_scores_of_several_protocols_are_not_mixed() -> None:
    with pytest.raises(BenchmarkError, match="lasot, otb cannot be summarised as otb"):
        summarise([one(Protocol.OTB), one(Protocol.LASOT)])
    with pytest.raises(BenchmarkError, match="no scores"):
        summarise([])
