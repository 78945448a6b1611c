"""Ranges are measured once for what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto
from ostrack_edge.calib.cache import cache_folder, cached_ranges
from ostrack_edge.calib.clipping import RangeMethod
from ostrack_edge.calib.ranges import TensorRange

FOUND = {
    "a": TensorRange(-1.5, 2.25, np.array([1, 2], np.float32)),
    "b": TensorRange(0.0, 1 / 3, np.array([0.5], np.float32)),
}


class Counter:
    """Measures, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> dict[str, TensorRange]:
        self.count += 1
        return FOUND


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ask(
    measure: Counter,
    model: str = "m",
    crops: str = "c",
    method: RangeMethod = RangeMethod.MSE,
    tensors: Sequence[str] = ("a", "b"),
) -> dict[str, TensorRange]:
    return cached_ranges([ModelProto(producer_name=model)], crops, method, tensors, measure)


def test_the_second_time_nothing_is_measured(cache: Path) -> None:
    measure = Counter()
    ask(measure)
    again = ask(measure)
    assert measure.count == 1
    for name, span in FOUND.items():
        assert (again[name].low, again[name].high) == (span.low, span.high)
        np.testing.assert_array_equal(again[name].channel_max, span.channel_max)
    assert len(list((cache / "ostrack-edge" / "ranges").iterdir())) == 1


@pytest.mark.parametrize(
    "change", [{"model": "n"}, {"crops": "d"}, {"method": RangeMethod.MINMAX}, {"tensors": ("b", "a")}]
)
def test_anything_else_is_measured_anew(cache: Path, change: dict) -> None:
    measure = Counter()
    ask(measure)
    ask(measure, **change)
    assert measure.count == 2


def test_no_tensors_need_no_measuring(cache: Path) -> None:
    measure = Counter()
    assert ask(measure, tensors=()) == {}
    assert measure.count == 0


def test_a_damaged_file_is_measured_again_and_replaced(cache: Path) -> None:
    measure = Counter()
    ask(measure)
    (path,) = (cache / "ostrack-edge" / "ranges").iterdir()
    whole = path.read_bytes()
    for number, damaged in enumerate((whole[:-40], b"", b"no arrays", whole[:60] + b"\xff" * 8 + whole[68:]), 2):
        path.write_bytes(damaged)
        assert ask(measure)["a"].low == -1.5
        assert measure.count == number
        ask(measure)
        assert measure.count == number


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    measure = Counter()
    ask(measure)
    ask(measure)
    assert measure.count == 2


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "ostrack-edge"
