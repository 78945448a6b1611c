"""Which inputs each run gets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ostrack_edge.calib.crops import CalibrationCrops
from ostrack_edge.calib.replay import OwnTemplates, Replay


def test_groups_are_filled_up_with_their_first_row(made_crops: Callable[..., CalibrationCrops]) -> None:
    crops = made_crops(seen=5, unseen=2)
    replay = Replay(crops, [0, 2, 4, 5, 6], 3)
    assert replay.groups == [[0, 2, 4], [5, 6]]
    assert replay.targets == [0, 1, 2]
    features = {target: {"tokens": np.full((1, 2), target)} for target in replay.targets}
    feeds = replay.search_feeds([5, 6], features, 8)
    np.testing.assert_array_equal(feeds["search"], crops.search[[5, 6, 5]])
    np.testing.assert_array_equal(feeds["tokens"], [[2, 2]] * 3)
    assert feeds["window"].shape == (8, 8)


def test_a_template_goes_with_its_box_where_the_graph_takes_one(made_crops: Callable[..., CalibrationCrops]) -> None:
    crops = made_crops()
    feeds = Replay(crops, [0], 2).template_feeds(1, takes_box=True)
    np.testing.assert_array_equal(feeds["template"], crops.template[[1, 1]])
    np.testing.assert_array_equal(feeds["template_box"], crops.template_box[[1, 1]])
    assert list(Replay(crops, [0], None).template_feeds(1, takes_box=False)) == ["template"]


def test_crops_with_templates_of_their_own() -> None:
    own = OwnTemplates(np.zeros((3, 1)), np.zeros((3, 4)), np.zeros((3, 2)))
    np.testing.assert_array_equal(own.target, [0, 1, 2])
