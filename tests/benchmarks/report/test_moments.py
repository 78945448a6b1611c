"""Which frames are shown."""

from __future__ import annotations

import numpy as np
import pytest
from ostrack_edge.benchmarks.report_html.moments import choose_moments, longest_run

NAN = np.nan


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ([], (0, 0)),
        ([0, 0], (0, 0)),
        ([1], (0, 1)),
        ([0, 1, 1, 0, 1], (1, 2)),
        ([1, 0, 1], (0, 1)),
        ([0, 1, 0, 1, 1, 1], (3, 3)),
    ],
)
def test_longest_run(marked: list[int], expected: tuple[int, int]) -> None:
    assert longest_run(np.array(marked, bool)) == expected


def test_the_worst_is_the_middle_of_the_longest_loss() -> None:
    overlaps = {"one": {"a": np.array([1, 0.1, 0.8, 0.0, 0.05, 0.1, 0.7])}}
    (choice,) = choose_moments(overlaps, 1)
    assert (choice.sequence, choice.frame) == ("a", 4)
    assert choice.title == "one at its worst (IoU 0.1 or less for 3 frames)"


def test_frames_that_do_not_count_are_no_loss() -> None:
    overlaps = {"one": {"a": np.array([1, NAN, NAN, NAN, 0.4, 0.6])}}
    (choice,) = choose_moments(overlaps, 1)
    assert (choice.frame, choice.title) == (4, "one at its worst (IoU 0.40)")


def test_the_best_is_looked_for_in_the_second_half() -> None:
    overlaps = {
        "one": {"good": np.array([1, 0.99, 0.98, 0.8, 0.9, 0.85]), "bad": np.array([1, 0.3, 0.3, 0.3, 0.2, 0.3])}
    }
    best, worst = choose_moments(overlaps, 1)
    assert (best.sequence, best.frame, best.title) == ("good", 4, "one at its best (mean IoU 0.92 here)")
    assert (worst.sequence, worst.frame) == ("bad", 4)


def test_the_best_where_only_the_first_half_counts() -> None:
    overlaps = {"one": {"a": np.array([1, 0.9, NAN, NAN]), "b": np.array([0.5, 0.4, 0.3, 0.2])}}
    best, _ = choose_moments(overlaps, 1)
    assert (best.sequence, best.frame) == ("a", 0)


def test_where_two_are_furthest_apart() -> None:
    overlaps = {
        "one": {"a": np.array([1, 0.9, 0.96, 0.95]), "b": np.array([1, 0.5, 0.5, 0.4])},
        "other": {"a": np.array([1, 0.9, 0.2, 0.15]), "b": np.array([1, 0.4, NAN, 0.4]), "c": np.array([1, 0.0])},
    }
    apart = choose_moments(overlaps, 1)[-1]
    assert apart.title == "one and other furthest apart"
    assert (apart.sequence, apart.frame) == ("a", 3)


def test_a_frame_is_shown_once() -> None:
    overlaps = {"one": {"a": np.array([1, 0.9])}, "other": {"a": np.array([1, 0.3])}}
    choices = choose_moments(overlaps, 1)
    assert [(choice.title, choice.frame) for choice in choices] == [("one at its worst (IoU 0.90)", 1)]


def test_equal_ones_do_not_part() -> None:
    overlaps = {"one": {"a": np.array([1, 0.9])}, "other": {"a": np.array([1, 0.9])}}
    assert len(choose_moments(overlaps, 1)) == 1


def test_no_sequence_is_both_best_and_worst() -> None:
    overlaps = {"one": {name: np.array([1, mean, mean]) for name, mean in (("a", 0.9), ("b", 0.5), ("c", 0.7))}}
    choices = choose_moments(overlaps, 2)
    assert [choice.sequence for choice in choices] == ["a", "b", "c"]


def test_none_where_none_are_wanted_or_nothing_counts() -> None:
    assert choose_moments({"one": {"a": np.array([1, 0.5])}, "other": {"a": np.array([1, 0.1])}}, 0) == []
    assert choose_moments({"one": {"a": np.array([NAN, NAN])}}, 1) == []
    assert choose_moments({}, 1) == []
