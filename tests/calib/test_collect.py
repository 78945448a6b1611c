"""What is taken of footage, and what is not, with an engine that follows a white square."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ostrack_edge.calib.collect import JITTER_SHIFT, collect_crops
from ostrack_edge.calib.crops import CalibrationCrops
from ostrack_edge.datasets.sequence import Sequence
from ostrack_edge.runtime.errors import FootageError, InputError
from ostrack_edge.runtime.network import ColorOrder

Make = Callable[..., Any]


@pytest.fixture
def several(footage: Make) -> list[Sequence]:
    return [footage(name) for name in ("ann", "bob", "cleo", "dan", "eve", "fay")]


def white_centres(crops: CalibrationCrops) -> np.ndarray:
    """Where the square lies in each search region, 0..1: float [N, 2]."""
    found = []
    for crop in crops.search:
        rows, columns = np.nonzero((crop > 230).all(2))
        found.append([(columns.mean() + 0.5) / len(crop), (rows.mean() + 0.5) / len(crop)])
    return np.array(found)


def test_crops_show_the_target_as_tracking_errs(engine: Make, several: list[Sequence]) -> None:
    crops, reports = collect_crops(engine(), several, limit=60)
    assert (len(crops.seen), len(crops.unseen)) == (48, 12)
    assert [r.lost + r.duplicates for r in reports] == [0] * 6
    assert crops.color is ColorOrder.BGR
    offsets = (white_centres(crops) - 0.5) * engine().network.search_factor
    # The square moves by a pixel or so and is found to a pixel: what is left is the jitter, in sides of the box.
    assert abs(offsets.mean()) < 0.05
    assert 0.7 * JITTER_SHIFT < offsets.std() < 1.3 * JITTER_SHIFT


def test_a_template_belongs_to_its_search_regions(engine: Make, several: list[Sequence]) -> None:
    crops, _ = collect_crops(engine(), several, limit=60)
    assert sorted(set(crops.target.tolist())) == list(range(len(crops.template)))
    # As the search regions come sequence by sequence, so do the templates.
    assert (np.diff(crops.target) >= 0).all()
    x, y, width, height = (crops.template_box[0] * engine().network.template_size).round().astype(int)
    assert (crops.template[0][y + 1 : y + height - 1, x + 1 : x + width - 1] > 230).all()
    assert not (crops.template[0][: y - 2] > 230).all(2).any()


def test_the_same_footage_gives_the_same_crops(engine: Make, several: list[Sequence]) -> None:
    hashes = [collect_crops(engine(), several, limit=40, seed=seed)[0].sha256 for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_fifth_of_whole_sequences_is_held_back(engine: Make, several: list[Sequence]) -> None:
    crops, reports = collect_crops(engine(), several, limit=60)
    assert [r.held_back for r in reports] == [False] * 5 + [True]
    assert [r.kept for r in reports] == [9, 10, 9, 10, 10, 12]
    assert crops.held_back.tolist() == [False] * 48 + [True] * 12
    assert crops.sources == tuple(s.name for s in several)
    # No template serves both.
    assert not {*crops.target[:48]} & {*crops.target[48:]}
    assert [r.held_back for r in collect_crops(engine(), several[:2], limit=50)[1]] == [False, True]


@pytest.mark.parametrize("known", [True, False])
def test_of_a_single_sequence_its_end_is_held_back(engine: Make, footage: Make, known: bool) -> None:
    crops, reports = collect_crops(engine(), [footage(count=100, known=known)], limit=50)
    assert (len(crops.seen), len(crops.unseen)) == (40, 10)
    assert [(r.name, r.held_back, r.kept) for r in reports] == [("square", False, 40), ("square", True, 10)]
    if not known:
        # From the one box there is: each part tracks all that comes before its last crop.
        assert len(crops.template) == 2
        np.testing.assert_array_equal(*crops.template)
        assert reports[0].frames <= 80 < reports[1].frames <= 100


def test_no_frame_is_taken_twice(engine: Make, footage: Make) -> None:
    """Much more is asked for than there is."""
    crops, reports = collect_crops(engine(), [footage(count=41), footage("other", count=31)], limit=1000)
    assert [r.kept for r in reports] == [40, 30]
    assert len(crops.search) == 70


def test_pictures_that_are_alike_are_taken_once(engine: Make, footage: Make) -> None:
    moving, still = [footage(f"moving{i}") for i in range(3)], footage("still", still=True)
    _, reports = collect_crops(engine(), [still, *moving], limit=60)
    # The finder's own rounding moves the box by a pixel at first.
    assert reports[0].kept <= 3
    assert reports[0].kept + reports[0].duplicates == 39
    assert all(r.duplicates == 0 for r in reports[1:])


def test_a_lost_target_ends_a_run_and_another_begins(engine: Make, several: list[Sequence]) -> None:
    crops, reports = collect_crops(engine(astray=True), several, limit=60)
    # Each run gives the one region that was cut around the true box, before the target was lost.
    assert [r.lost for r in reports] == [r.kept for r in reports]
    assert [r.frames for r in reports] == [2 * r.kept for r in reports]
    assert len(crops.template) == len(crops.search) == 60
    assert (abs(white_centres(crops) - 0.5) < 0.25).all()


def test_an_absent_target_is_not_called_lost(engine: Make, footage: Make) -> None:
    sequences = [footage("ann", count=30, absent=tuple(range(1, 30))), *(footage(n) for n in ("bob", "cleo"))]
    _, reports = collect_crops(engine(astray=True), sequences, limit=40)
    assert (reports[0].lost, reports[0].frames) == (0, 9)


def test_an_rgb_bundle_gets_the_same_crops_in_its_own_order(engine: Make, several: list[Sequence]) -> None:
    bgr, _ = collect_crops(engine(), several, limit=40)
    rgb, _ = collect_crops(engine(color=ColorOrder.RGB), several, limit=40)
    assert rgb.color is ColorOrder.RGB
    np.testing.assert_array_equal(rgb.search, bgr.search[..., ::-1])
    np.testing.assert_array_equal(rgb.template, bgr.template[..., ::-1])
    assert rgb.sha256 != bgr.sha256


def test_a_bundle_of_a_fixed_batch_gets_the_same_crops(engine: Make, several: list[Sequence]) -> None:
    one, four = (collect_crops(engine(batch=batch), several, limit=40)[0] for batch in (1, 4))
    assert one.sha256 == four.sha256


def test_of_very_many_sequences_some_are_used(engine: Make, footage: Make) -> None:
    many = [footage(f"s{i}", count=4) for i in range(100)]
    crops, reports = collect_crops(engine(), many, limit=40)
    assert len(crops.search) == 40
    assert [r.kept for r in reports] == [1] * 32 + [1] * 8
    assert [r.held_back for r in reports] == [False] * 32 + [True] * 8
    # Spread over all that were given.
    assert crops.sources[:3] == ("s2", "s4", "s7")
    assert crops.sources[-1] == "s99"


def test_progress_counts_what_is_there(engine: Make, several: list[Sequence]) -> None:
    told: list[tuple[int, int]] = []
    collect_crops(engine(), several, limit=40, progress=lambda *step: told.append(step))
    assert told == [(n, 40) for n in range(1, 41)]


def test_too_little_footage_is_refused(engine: Make, footage: Make) -> None:
    words = r"too few different crops, 14 to calibrate on and 2 held back.+\(0 near-duplicates .+ lost 0 times\)"
    with pytest.raises(FootageError, match=words):
        collect_crops(engine(), [footage(count=18)])
    with pytest.raises(FootageError, match=r"[1-3] to calibrate on and [1-3] held back.+\(7\d near-duplicates"):
        collect_crops(engine(), [footage(n, still=True) for n in ("ann", "bob")])
    with pytest.raises(FootageError, match="never calibrated on made-up data"):
        collect_crops(engine(), [])
    with pytest.raises(InputError, match="19 crops are too few to calibrate on; take at least 20"):
        collect_crops(engine(), [footage()], limit=19)


def test_a_box_outside_the_frame_is_no_obstacle(engine: Make, footage: Make) -> None:
    sequence = footage(count=60)
    truth = sequence.truth.copy()
    truth[10:20, 0] = -500
    crops, _ = collect_crops(engine(), [dataclasses.replace(sequence, truth=truth)], limit=30)
    assert len(crops.search) == 30
