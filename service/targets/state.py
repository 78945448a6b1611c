"""What is believed of a target, from its scores so far: tracking, uncertain, lost.

Going down takes several low scores in a row, coming up several high ones, and the two thresholds differ: a score that
wavers around one of them does not make the state flicker.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...runtime.errors import InputError


class TargetState(str, Enum):
    """`tracking`: the box is believed. `uncertain`: it is given, and may be wrong. `lost`: there is no box, and the
    target is searched for."""

    TRACKING = "tracking"
    UNCERTAIN = "uncertain"
    LOST = "lost"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Thresholds:
    """Scores (0..1, the score map at the chosen cell before the window) and numbers of frames.

    A box is taken over from `hold_below` on; below it the target stays where it was. `tracking` becomes `uncertain`
    after `uncertain_after` frames in a row below `uncertain_below`; `uncertain` becomes `tracking` after
    `tracking_after` frames at `tracking_from` or above, and `lost` after `lost_after` frames below `hold_below`, or
    where no such run came in `doubt_limit` frames. A lost target is found, as `uncertain`, by a search that scores
    `found_from` or more, and lost again at once where one of its next `tracking_after` frames falls below
    `uncertain_below`.

    The defaults were chosen for the default model on footage (docs/camera.md says how, and how to choose them for
    another bundle). Raises InputError for values that do not rise from one to the next.
    """

    hold_below: float = 0.15
    uncertain_below: float = 0.3
    tracking_from: float = 0.45
    found_from: float = 0.5
    uncertain_after: int = 2
    tracking_after: int = 3
    lost_after: int = 6
    doubt_limit: int = 150

    def __post_init__(self) -> None:
        rising = (0.0, self.hold_below, self.uncertain_below, self.tracking_from, self.found_from, 1.0)
        if list(rising) != sorted(rising):
            raise InputError(
                f"the thresholds {', '.join(f'{v:g}' for v in rising[1:-1])} do not rise from 0 to 1: give hold_below, "
                "uncertain_below, tracking_from and found_from in that order"
            )
        counts = (self.uncertain_after, self.tracking_after, self.lost_after, self.doubt_limit)
        if min(counts) < 1:
            raise InputError(f"the numbers of frames {counts} must be 1 or more")


class StateJudge:
    """Follows the scores of one target; begins as `tracking`, as the target was just shown."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._state = TargetState.TRACKING
        self._high = 0
        self._low = 0
        self._frames = 0
        self._just_found = False

    @property
    def state(self) -> TargetState:
        return self._state

    @property
    def frames(self) -> int:
        """Frames since the state changed last."""
        return self._frames

    def unfound(self) -> bool:
        """Whether the next low score takes the target back to `lost` at once: it was found and not confirmed yet."""
        return self._just_found

    def saw(self, score: float) -> TargetState:
        """Take the score of one more frame; 0 where the frame shows nothing. Gives the state after it."""
        t = self._thresholds
        self._frames += 1
        if self._state is TargetState.LOST:
            if score >= t.found_from:
                self._enter(TargetState.UNCERTAIN)
                self._just_found = True
            return self._state
        self._high = self._high + 1 if score >= t.tracking_from else 0
        if self._state is TargetState.TRACKING:
            self._low = self._low + 1 if score < t.uncertain_below else 0
            if self._low >= t.uncertain_after:
                low = self._low
                self._enter(TargetState.UNCERTAIN)
                # The same low scores count on their way to `lost`.
                self._low = low if score < t.hold_below else 0
            return self._state
        self._low = self._low + 1 if score < t.hold_below else 0
        if self._high >= t.tracking_after:
            self._enter(TargetState.TRACKING)
        elif (self._just_found and score < t.uncertain_below) or self._low >= t.lost_after or self._doubted_enough():
            self._enter(TargetState.LOST)
        return self._state

    def _doubted_enough(self) -> bool:
        return self._frames >= self._thresholds.doubt_limit

    def _enter(self, state: TargetState) -> None:
        self._state = state
        self._high = self._low = self._frames = 0
        self._just_found = False
