"""Accuracy figures, each as its benchmark defines it; numpy alone.

`score` turns the boxes of one sequence into a SequenceScore under a Protocol, `score_anchored` the runs from VOT's
anchors; `summarise` makes a Summary of many. FIGURES says what every figure is called and means.
"""

from .anchors import Anchor, AnchoredRun, RunScore, place_anchors
from .boxes import centre_errors, clip_as_got10k, clip_to_frame, iou, repeat_invalid, valid
from .curves import Curve
from .figures import FIGURES, Figure, main_figure
from .protocols import Protocol, protocol_of
from .sequence import NothingToScoreError, SequenceScore, score, score_anchored
from .summary import Summary, summarise

__all__ = [
    "FIGURES",
    "Anchor",
    "AnchoredRun",
    "Curve",
    "Figure",
    "NothingToScoreError",
    "Protocol",
    "RunScore",
    "SequenceScore",
    "Summary",
    "centre_errors",
    "clip_as_got10k",
    "clip_to_frame",
    "iou",
    "main_figure",
    "place_anchors",
    "protocol_of",
    "repeat_invalid",
    "score",
    "score_anchored",
    "summarise",
    "valid",
]
