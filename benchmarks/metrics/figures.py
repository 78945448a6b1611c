"""The names of figures, and what each of them is."""

from __future__ import annotations

from typing import NamedTuple

from .protocols import Protocol


class Figure(NamedTuple):
    """title: the head of a column; meaning: one sentence for a reader of the report."""

    title: str
    meaning: str


FIGURES = {
    "success_auc": Figure(
        "success AUC", "mean over 21 IoU thresholds 0, 0.05, ..., 1 of the share of frames strictly above"
    ),
    "op50": Figure("OP50", "share of frames with an IoU above 0.5"),
    "op75": Figure("OP75", "share of frames with an IoU above 0.75"),
    "mean_iou": Figure("mean IoU", "mean IoU of the frames with a target"),
    "precision_20px": Figure("precision 20 px", "share of frames whose centre is at most 20 pixels off"),
    "norm_precision_at_0.2": Figure(
        "norm. precision at 0.2", "share of frames whose centre is at most 0.2 of the target's size off"
    ),
    "norm_precision_area_to_0.5": Figure(
        "norm. precision area to 0.5", "mean of the normalised precision curve from 0 to 0.5 of the target's size"
    ),
    "precision_area_to_50px": Figure(
        "precision area to 50 px", "area under the precision curve from 0 to 50 pixels: TrackingNet's precision"
    ),
    "ao": Figure("AO", "average overlap: mean IoU over the frames of all sequences, the first of each left out"),
    "sr50": Figure("SR0.5", "share of these frames with an IoU above 0.5"),
    "sr75": Figure("SR0.75", "share of these frames with an IoU above 0.75"),
    "mao": Figure("mAO", "AO per object class, averaged over the classes"),
    "msr50": Figure("mSR0.5", "SR0.5 per object class, averaged over the classes"),
    "msr75": Figure("mSR0.75", "SR0.75 per object class, averaged over the classes"),
    "miou": Figure("mIoU", "mean IoU of each sequence's frames with a target, averaged over the sequences"),
    "accuracy": Figure("accuracy", "mean overlap before failure, over all runs from the anchors"),
    "robustness": Figure("robustness", "share of frames tracked before failure, over all runs from the anchors"),
    "eao": Figure("EAO", "expected average overlap of runs of 115 to 755 frames; left out where no run is that long"),
}

_MAIN = {Protocol.GOT10K: "ao", Protocol.ITB: "miou", Protocol.VOT2020: "eao"}


def main_figure(protocol: Protocol) -> str:
    """The figure by which the benchmark ranks trackers."""
    return _MAIN.get(protocol, "success_auc")
