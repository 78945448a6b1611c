"""Rounding passes, wrong answers do not: errors planted in the answers of a sound engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.export.precision.backend import EmulatedBackend
from ostrack_edge.models import default_bundle
from ostrack_edge.runtime.backends import Backend, SearchResult, TargetFeatures, load_backend
from ostrack_edge.runtime.backends.check import check_answers, measure_rounding
from ostrack_edge.runtime.backends.onnxruntime import OnnxRuntimeBackend
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BackendError
from ostrack_edge.runtime.manifest import Precision
from ostrack_edge.runtime.selftest import read_reference


class Swapped(OnnxRuntimeBackend):
    """Red for blue."""

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        return super().search(features, np.ascontiguousarray(search[..., ::-1]), window)


class Late(OnnxRuntimeBackend):
    """The picture of the call before."""

    last: np.ndarray | None = None

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        shown, self.last = self.last if self.last is not None else search, search
        return super().search(features, shown, window)


class Forgetful(OnnxRuntimeBackend):
    """The first target for all."""

    first: TargetFeatures = None

    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        self.first = features if self.first is None else self.first
        return super().search(self.first, search, window)


class Overflowing(OnnxRuntimeBackend):
    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        found = super().search(features, search, window)
        return SearchResult(found.box * np.float32("nan"), found.score, found.kept)


@pytest.mark.parametrize("kind", [Swapped, Late, Forgetful, Overflowing])
def test_planted_errors_are_refused(kind: Callable[[Bundle], Backend]) -> None:
    bundle = Bundle.open(default_bundle())
    with pytest.raises(BackendError, match=r"onnxruntime in fp16 computes something else .* on \d+ stored crops"):
        check_answers(kind(bundle), bundle, Precision.FP16)


@pytest.mark.parametrize("kind", [Swapped, Late, Overflowing])
def test_planted_errors_that_int8_sees_too(kind: Callable[[Bundle], Backend]) -> None:
    bundle = Bundle.open(default_bundle())
    with pytest.raises(BackendError, match="in int8 computes something else"):
        check_answers(kind(bundle), bundle, Precision.INT8)


def test_rounding_to_half_passes(half_bundle: Callable[..., Path]) -> None:
    bundle = Bundle.open(half_bundle())
    found = check_answers(EmulatedBackend(bundle, Precision.FP16), bundle, Precision.FP16)
    assert found.median_box > 0, "the emulation rounded nothing"


def test_fp32_has_no_rounding_to_speak_of() -> None:
    bundle = Bundle.open(default_bundle())
    found = measure_rounding(load_backend(bundle, "onnxruntime", precision=Precision.FP32), read_reference(bundle))
    assert found.worst_box < 0.01
    assert found.kept == 1
