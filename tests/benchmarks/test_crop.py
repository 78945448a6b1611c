from __future__ import annotations

import numpy as np
import pytest
from ostrack_edge.benchmarks import crop
from ostrack_edge.benchmarks.crop import time_crops
from ostrack_edge.runtime.crop import Cropper
from ostrack_edge.runtime.errors import BenchmarkError


def test_every_size_is_timed_and_never_larger_than_the_frame() -> None:
    times = time_crops(320, 240, repeats=3)
    assert [(t.box_width, t.box_height) for t in times] == [(50, 50), (100, 200), (320, 240), (160, 120), (320, 240)]
    assert all(0 < t.median_ms <= t.slowest_ms for t in times)
    assert all(t.published_ms > 0 for t in times)


def test_a_crop_that_differs_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Cropper):
        def cut(self, frame, window):
            return np.zeros_like(super().cut(frame, window))

    monkeypatch.setattr(crop, "Cropper", Wrong)
    with pytest.raises(BenchmarkError, match="is not the published one"):
        time_crops(320, 240, repeats=1)
