"""Trackers on annotated sequences: run them, keep what they gave, score it, compare it.

`run_accuracy` follows every target and keeps each result in a run folder; `open_runs` reads folders together,
`score_runs` gives their figures, `compare_runs` says which difference is one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .compare import Comparison, compare_runs
    from .entrants import Entrant, Follower, bundle_entrants, peer_entrant, reference_entrant
    from .merge import Runs, Track, group_runs, open_runs
    from .plan import RunOptions
    from .run import RunOutcome, run_accuracy
    from .scores import EntrantScores, score_runs
    from .starts import StartPlan

__all__ = [
    "Comparison",
    "Entrant",
    "EntrantScores",
    "Follower",
    "RunOptions",
    "RunOutcome",
    "Runs",
    "StartPlan",
    "Track",
    "bundle_entrants",
    "compare_runs",
    "group_runs",
    "open_runs",
    "peer_entrant",
    "reference_entrant",
    "run_accuracy",
    "score_runs",
]

_HOMES = {
    "compare": ("Comparison", "compare_runs"),
    "entrants": ("Entrant", "Follower", "bundle_entrants", "peer_entrant", "reference_entrant"),
    "merge": ("Runs", "Track", "group_runs", "open_runs"),
    "plan": ("RunOptions",),
    "run": ("RunOutcome", "run_accuracy"),
    "scores": ("EntrantScores", "score_runs"),
    "starts": ("StartPlan",),
}


def __getattr__(name: str) -> object:
    # Lazily, as the command line reads its options without loading any of them.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
