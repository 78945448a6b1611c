"""An engine that takes several targets at a time, for a tracker that follows one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..runtime.backends import Backend
from ..runtime.backends.base import SearchResult, TargetFeatures
from ..runtime.network import ColorOrder, NetworkGeometry


def one_at_a_time(backend: Backend) -> Backend:
    """The engine itself where it takes one sample a call; otherwise one that gives it each sample as often as it wants.

    Slow, and right: crops are collected once.
    """
    return backend if backend.batch in (None, 1) else _OneAtATime(backend)


class _OneAtATime:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._count = backend.batch or 1

    @property
    def name(self) -> str:
        return self._backend.name

    @property
    def network(self) -> NetworkGeometry:
        return self._backend.network

    @property
    def batch(self) -> int | None:
        return 1

    @property
    def color(self) -> ColorOrder:
        return self._backend.color

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return self._backend.timings_ms

    def describe(self) -> Mapping[str, str]:
        return self._backend.describe()

    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        return self._backend.embed_template(self._repeated(template), self._repeated(template_box))

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        found = self._backend.search(features, self._repeated(search), window)
        return SearchResult(found.box[:1], found.score[:1], tuple(kept[:1] for kept in found.kept))

    def _repeated(self, array: np.ndarray) -> np.ndarray:
        return np.repeat(array, self._count, axis=0)
