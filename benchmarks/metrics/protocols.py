"""How each benchmark counts: which frames, which boxes, which thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .curves import GOT10K_OVERLAPS, NORMALISED, OVERLAPS, PIXELS, TRACKINGNET_NORMALISED, TRACKINGNET_PIXELS


class Protocol(str, Enum):
    """A benchmark's way to score boxes.

    OTB          every annotated frame, the first included (Wu et al., 2015); NfS, TNL2K and plain footage go by it
    UAV123       as OTB; frames without a target count: as misses of success, as hits of precision, as its toolkit does
    LASOT        frames with an absent target count as misses: they leave the hits, not the length (Fan et al., 2019)
    GOT10K       without the first frame and absent frames, boxes bounded to the frame (Huang et al., 2019)
    TRACKINGNET  boxes rounded to whole pixels, areas by the trapezoid rule (Muller et al., 2018)
    ITB          as LASOT, and the mean IoU of the frames with a target (Li et al., 2021)
    VOT2020      accuracy, robustness and expected average overlap from anchors (Kristan et al., 2020), here on boxes
    """

    OTB = "otb"
    UAV123 = "uav123"
    LASOT = "lasot"
    GOT10K = "got10k"
    TRACKINGNET = "trackingnet"
    ITB = "itb"
    VOT2020 = "vot2020"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Rules:
    """counts_absent: frames without a target belong to the length; absent_is_near: they pass every precision threshold;
    first_counts: the first frame belongs to the length; first_from_truth: its result is taken to be the truth;
    repeats_invalid: an empty result gives way to the one before; whole_pixels, bounded: how boxes are prepared;
    longer_is_cut: more results than frames are cut."""

    counts_absent: bool = False
    absent_is_near: bool = False
    first_counts: bool = True
    first_from_truth: bool = True
    repeats_invalid: bool = True
    whole_pixels: bool = False
    bounded: bool = False
    longer_is_cut: bool = False
    by_trapezoid: bool = False
    overlaps: tuple[float, ...] = OVERLAPS
    pixels: tuple[float, ...] = PIXELS
    normalised: tuple[float, ...] = NORMALISED


RULES = {
    Protocol.OTB: Rules(),
    Protocol.UAV123: Rules(counts_absent=True, absent_is_near=True),
    # One sequence, monkey-17, has fewer annotations than published results have lines.
    Protocol.LASOT: Rules(counts_absent=True, longer_is_cut=True),
    Protocol.GOT10K: Rules(
        first_counts=False,
        first_from_truth=False,
        repeats_invalid=False,
        bounded=True,
        overlaps=GOT10K_OVERLAPS,
    ),
    Protocol.TRACKINGNET: Rules(
        counts_absent=True,
        repeats_invalid=False,
        whole_pixels=True,
        by_trapezoid=True,
        pixels=TRACKINGNET_PIXELS,
        normalised=TRACKINGNET_NORMALISED,
    ),
    Protocol.ITB: Rules(counts_absent=True, first_from_truth=False, repeats_invalid=False, longer_is_cut=True),
    Protocol.VOT2020: Rules(),
}

_DATASETS = {
    "uav123": Protocol.UAV123,
    "uav20l": Protocol.UAV123,
    "lasot": Protocol.LASOT,
    "lasot-train": Protocol.LASOT,
    "lasot-ext": Protocol.LASOT,
    "got10k": Protocol.GOT10K,
    "trackingnet": Protocol.TRACKINGNET,
    "trackingnet-train": Protocol.TRACKINGNET,
    "itb": Protocol.ITB,
}


def protocol_of(dataset: str) -> Protocol:
    """The protocol of a data set by the prefix of its layout, such as "got10k"; OTB for those without one of their own.

    VOT's sequences also go by OTB's: its own protocol needs runs from anchors, which somebody has to ask for.
    """
    return _DATASETS.get(dataset, Protocol.OTB)
