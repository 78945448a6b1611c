"""What is believed of a target, from the evidence so far: tracking, uncertain, lost.

Evidence of one frame is the network's score times how alike the colours are (`Likeness`). One frame says little: a
background may score what a target does. The mean of the last ones says more. Going down and coming up have thresholds
of their own, so that a mean that wavers around one of them does not make the state flicker.
"""

from __future__ import annotations

from collections import deque
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
    """Evidence (0..1: the score map at the chosen cell before the window, times the likeness) and numbers of frames.

    The mean over the last `memory` frames decides: below `uncertain_below` a target that is tracked becomes uncertain,
    from `tracking_from` on an uncertain one is tracked again, below `lost_below`, or after `doubt_limit` frames in
    doubt, it is lost. A lost target is found, as uncertain, by a search with evidence of `found_from` or more, at a
    place that is alike to at least the share `found_alike` of what is usual for it; the mean begins anew there, and
    until it was tracked again it is lost again already below `uncertain_below`. A box is taken over from a score of
    `hold_below` on; below it the target stays where it was.

    The defaults were chosen for the default model on footage (docs/camera.md says how, and how to choose them for
    another bundle). Raises InputError for values that do not rise from one to the next.
    """

    hold_below: float = 0.15
    lost_below: float = 0.3
    uncertain_below: float = 0.37
    tracking_from: float = 0.42
    found_from: float = 0.45
    found_alike: float = 0.85
    memory: int = 8
    doubt_limit: int = 100

    def __post_init__(self) -> None:
        names = ("hold_below", "lost_below", "uncertain_below", "tracking_from", "found_from")
        rising = [0.0, *(getattr(self, name) for name in names), 1.0]
        if rising != sorted(rising):
            values = ", ".join(f"{name} {getattr(self, name):g}" for name in names)
            raise InputError(f"the thresholds do not rise from 0 to 1: {values}; give each at least the one before")
        if not 0 <= self.found_alike <= 1 or min(self.memory, self.doubt_limit) < 1:
            raise InputError("found_alike must lie in 0..1, memory and doubt_limit be 1 or more")


class StateJudge:
    """Follows the scores of one target; begins as `tracking`, as the target was just shown."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._state = TargetState.TRACKING
        self._scores: deque[float] = deque(maxlen=thresholds.memory)
        self._frames = 0
        self._confirmed = True

    @property
    def state(self) -> TargetState:
        return self._state

    @property
    def frames(self) -> int:
        """Frames since the state changed last."""
        return self._frames

    def saw(self, evidence: float, alike: float = 1.0) -> TargetState:
        """Take one more frame, 0 where it shows nothing; alike: how alike the found place is. Gives the state after."""
        t = self._thresholds
        self._frames += 1
        if self._state is TargetState.LOST:
            if alike >= t.found_alike and evidence >= t.found_from:
                self._enter(TargetState.UNCERTAIN)
                self._scores.clear()
                self._scores.append(evidence)
                self._confirmed = False
            return self._state
        self._scores.append(evidence)
        mean = sum(self._scores) / len(self._scores)
        full = len(self._scores) == t.memory
        if self._state is TargetState.TRACKING:
            # One look away, at the start, is no doubt yet.
            if mean < t.uncertain_below and len(self._scores) > 1:
                self._enter(TargetState.UNCERTAIN)
        elif full and (mean < (t.lost_below if self._confirmed else t.uncertain_below)):
            self._enter(TargetState.LOST)
        elif full and mean >= t.tracking_from:
            self._confirmed = True
            self._enter(TargetState.TRACKING)
        elif self._frames >= t.doubt_limit:
            self._enter(TargetState.LOST)
        return self._state

    def _enter(self, state: TargetState) -> None:
        self._state = state
        self._frames = 0
