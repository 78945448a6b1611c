"""The score of one sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...runtime.errors import BenchmarkError
from .anchors import Anchor, AnchoredRun, RunScore, score_anchored_runs
from .boxes import centre_errors, clip_as_got10k, iou, repeat_invalid, valid
from .curves import OVERLAPS, Curve, above, trapezoid_weights, within
from .protocols import RULES, Protocol, Rules


class NothingToScoreError(BenchmarkError):
    """No frame of the sequence has a truth that the protocol counts."""


@dataclass(frozen=True, eq=False)
class SequenceScore:
    """What a tracker's boxes are worth on one sequence.

    iou, centre_error (pixels), norm_error (shares of the target's size): float64 [N], NaN in frames without a target
    and in those that the protocol leaves out. length: frames of the sequence; frames: how many of them the shares are
    taken of. curves: by "success", "precision", "norm_precision"; figures: by the names in FIGURES; runs: VOT's, one
    per anchor.
    """

    name: str
    category: str | None
    protocol: Protocol
    length: int
    frames: int
    iou: np.ndarray
    centre_error: np.ndarray
    norm_error: np.ndarray
    curves: dict[str, Curve]
    figures: dict[str, float]
    runs: tuple[RunScore, ...] = ()

    @property
    def success_per_frame(self) -> np.ndarray:
        """float64 [frames]: the share of the success curve's thresholds below each frame's IoU; 0 for a miss.

        Under TRACKINGNET thresholds weigh as by the trapezoid rule. Their mean is `success_auc`: what a resampling of
        frames resamples.
        """
        counted = self.iou[np.isfinite(self.iou)]
        count = len(OVERLAPS)
        weights = trapezoid_weights(count) if RULES[self.protocol].by_trapezoid else np.full(count, 1 / count)
        passed = (counted[:, None] > np.asarray(OVERLAPS)) @ weights
        return np.concatenate([passed, np.zeros(self.frames - len(passed))])


def score(
    truth: np.ndarray,
    absent: np.ndarray,
    boxes: np.ndarray,
    protocol: Protocol = Protocol.OTB,
    *,
    size: tuple[int, int] | None = None,
    name: str = "",
    category: str | None = None,
) -> SequenceScore:
    """Score the boxes of one sequence, tracked once from its first frame.

    truth, boxes: float64 [N, 4], x, y, width, height, pixels, 0-based; a truth that is NaN or empty is one that was not
    annotated. absent: bool [N], the target is out of view or fully covered. size: width and height of the frames, which
    GOT10K and VOT2020 need. Under VOT2020 it is one run from the first frame; see `score_anchored` for all.

    Raises BenchmarkError for arrays of different lengths and for hidden truths, NothingToScoreError where no frame can
    be scored.
    """
    where = f"{name}: " if name else ""
    rules = RULES[protocol]
    truth, boxes, absent = _checked(truth, absent, boxes, rules, where)
    if protocol is Protocol.VOT2020:
        runs, limit = [AnchoredRun(Anchor(0), boxes)], _needed(size, protocol, where)
        return score_anchored(truth, absent, runs, size=limit, name=name, category=category)
    present = valid(truth) & ~absent
    boxes = _prepared(boxes, truth, rules)
    truth = np.round(truth) if rules.whole_pixels else truth
    if rules.bounded:
        limit = _needed(size, protocol, where)
        overlaps = iou(clip_as_got10k(boxes, limit), clip_as_got10k(truth, limit))
    else:
        overlaps = iou(boxes, truth)
    errors = centre_errors(boxes, truth)
    seen = present.copy()
    seen[0] &= rules.first_counts
    frames = len(truth) - (not rules.first_counts) if rules.counts_absent else int(seen.sum())
    if not seen.any():
        raise NothingToScoreError(f"{where}no frame of {len(truth)} has a truth to score by")
    return _assembled(name, category, protocol, frames, seen, overlaps, errors)


def score_anchored(
    truth: np.ndarray,
    absent: np.ndarray,
    runs: list[AnchoredRun],
    *,
    size: tuple[int, int],
    name: str = "",
    category: str | None = None,
) -> SequenceScore:
    """Score the runs from the anchors of one sequence under VOT2020.

    truth, absent, size: as for `score`. accuracy and robustness are those of all runs; the arrays, the curves and the
    other figures are those of the first run, in its order. Raises BenchmarkError for runs that do not fit the sequence.
    """
    where = f"{name}: " if name else ""
    if not runs:
        raise BenchmarkError(f"{where}there is no run to score; VOT2020 needs one from every anchor")
    truth, absent = np.asarray(truth, np.float64), np.asarray(absent, bool)
    scored = tuple(score_anchored_runs(truth, runs, size, name))
    order = runs[0].anchor.order(len(truth))
    plain = score(truth[order], absent[order], runs[0].boxes, Protocol.OTB, name=name, category=category)
    tracked = sum(run.tracked for run in scored)
    figures = {
        **plain.figures,
        "accuracy": sum(run.overlap_sum for run in scored) / tracked if tracked else 0.0,
        "robustness": tracked / sum(len(run.overlaps) for run in scored),
    }
    return replace(plain, protocol=Protocol.VOT2020, length=len(truth), figures=figures, runs=scored)


def _assembled(
    name: str,
    category: str | None,
    protocol: Protocol,
    frames: int,
    seen: np.ndarray,
    overlaps: np.ndarray,
    errors: tuple[np.ndarray, np.ndarray],
) -> SequenceScore:
    rules = RULES[protocol]
    ious = np.where(seen, overlaps, np.nan)
    pixels, normalised = (np.where(seen, error, np.nan) for error in errors)
    absent_error = np.where(seen, 0.0, -1.0 if rules.absent_is_near else np.nan)
    curves = {
        "success": above(ious, rules.overlaps, frames),
        "precision": within(np.where(seen, pixels, absent_error), rules.pixels, frames),
        "norm_precision": within(np.where(seen, normalised, absent_error), rules.normalised, frames),
    }
    figures = _figures(protocol, curves, ious[seen], frames)
    return SequenceScore(name, category, protocol, len(seen), frames, ious, pixels, normalised, curves, figures)


def _figures(protocol: Protocol, curves: dict[str, Curve], ious: np.ndarray, frames: int) -> dict[str, float]:
    rules = RULES[protocol]
    success = above(ious, OVERLAPS, frames)
    precision, norm = curves["precision"], curves["norm_precision"]
    figures = {
        "success_auc": success.area() if rules.by_trapezoid else success.mean(),
        "op50": success.at(0.5),
        "op75": success.at(0.75),
        "mean_iou": float(ious.mean()),
        "precision_20px": precision.at(20),
        "norm_precision_at_0.2": norm.at(0.2),
        "norm_precision_area_to_0.5": norm.area() if rules.by_trapezoid else norm.mean(),
    }
    if protocol is Protocol.TRACKINGNET:
        figures["precision_area_to_50px"] = precision.area()
    if protocol is Protocol.GOT10K:
        figures |= {"ao": float(ious.mean()), "sr50": success.at(0.5), "sr75": success.at(0.75)}
    if protocol is Protocol.ITB:
        figures["miou"] = float(ious.mean())
    return figures


def _prepared(boxes: np.ndarray, truth: np.ndarray, rules: Rules) -> np.ndarray:
    if rules.repeats_invalid:
        boxes = repeat_invalid(boxes, valid(truth))
    if rules.whole_pixels:
        boxes = np.round(boxes)
    if rules.first_from_truth:
        boxes = np.concatenate([np.round(truth[:1]) if rules.whole_pixels else truth[:1], boxes[1:]])
    return boxes


def _checked(
    truth: np.ndarray, absent: np.ndarray, boxes: np.ndarray, rules: Rules, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth, boxes = np.asarray(truth, np.float64), np.asarray(boxes, np.float64)
    absent = np.asarray(absent, bool)
    for what, array in (("the truth", truth), ("the result", boxes)):
        if array.ndim != 2 or array.shape[1] != 4 or not len(array):
            raise BenchmarkError(f"{where}{what} should be N boxes of four numbers, not an array {list(array.shape)}")
    if len(absent) != len(truth):
        raise BenchmarkError(f"{where}{len(absent)} absence flags for {len(truth)} frames of truth; one per frame")
    if len(truth) == 1 < len(boxes):
        raise BenchmarkError(
            f"{where}its truth is hidden but for the first frame, so it cannot be scored here; "
            "write the results in the format of the benchmark's server instead"
        )
    if len(boxes) > len(truth) and rules.longer_is_cut:
        boxes = boxes[: len(truth)]
    if len(boxes) != len(truth):
        raise BenchmarkError(f"{where}{_lengths(len(boxes), len(truth))}")
    return truth, boxes, absent


def _lengths(found: int, expected: int) -> str:
    return f"the result has {found} boxes and the truth {expected} frames; is it the result of another sequence?"


def _needed(size: tuple[int, int] | None, protocol: Protocol, where: str) -> tuple[int, int]:
    if size is None:
        raise BenchmarkError(f"{where}the protocol {protocol} bounds boxes to the frame and needs its width and height")
    return size
