from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.datasets.registry import LAYOUTS
from ostrack_edge.runtime.errors import FootageError, InputError
from ostrack_edge.train.data.hold_back import HoldBack
from ostrack_edge.train.data.mixture import open_mixture
from ostrack_edge.train.data.sources import Source
from ostrack_edge.train.data.specs import KINDS, Choices, open_part

OBJECTS = [(1, (1, 2, 10, 8), 0)]


def open_sources(spec: str, *hold_back: str, max_gap: int = 200) -> list[Source]:
    return [weighted.source for weighted in open_part(spec, Choices(HoldBack(hold_back), max_gap)).training]


def lasot(root: Path, clip, *names: str) -> Path:
    for name in names:
        clip(name)
        folder = root / name.partition("-")[0] / name
        shutil.copytree(root / "clips" / name, folder)
        for flags in ("full_occlusion.txt", "out_of_view.txt"):
            (folder / flags).write_text(",".join(["0"] * 30))
    shutil.rmtree(root / "clips")
    return root


def test_every_layout_is_a_kind_and_coco_is_one() -> None:
    assert {layout.prefix for layout in LAYOUTS} | {"coco"} <= set(KINDS)


@pytest.mark.parametrize("prefix", ["folders", "Folders"])
def test_sequences(clip, prefix: str) -> None:
    clip("bag")
    root = clip("cup")
    (source,) = open_sources(f"{prefix}:{root}", max_gap=3)
    assert (source.name, len(source)) == (f"folders:{root}", 2)
    random = np.random.default_rng(0)
    pairs = [source.draw(random) for _ in range(100)]
    apart = {int(p.search.picture[0, 0, 0]) - int(p.template.picture[0, 0, 0]) for p in pairs}
    assert apart == {1, 2, 3}


def test_sequences_are_held_back_by_name(clip) -> None:
    for name in ("bag", "cup"):
        clip(name)
    root = clip("dog")
    mixture = open_mixture([f"folders:{root}"], HoldBack(("cup", "dog")))
    assert [len(weighted.source) for weighted in mixture.training] == [1]
    assert [len(weighted.source) for weighted in mixture.validation] == [2]
    with pytest.raises(InputError, match=r"no sequence cow to hold back; the data have: bag, cup, dog$"):
        open_mixture([f"folders:{root}"], HoldBack(("cow",)))
    with pytest.raises(InputError, match="nothing is left to train on"):
        open_mixture([f"folders:{root}"], HoldBack(("bag", "cup", "dog")))


def test_a_name_may_be_in_any_of_the_data(coco, clip) -> None:
    mixture = open_mixture([f"coco:{coco(OBJECTS)}=3", f"folders:{clip('bag')}"], HoldBack(("bag",)))
    assert [weighted.share for weighted in mixture.training] == [3]
    assert [len(weighted.source) for weighted in mixture.validation] == [1]


@pytest.mark.parametrize("share", ["0", "-1", "1e999", "..", "+"])
def test_a_share_is_above_0(share: str) -> None:
    with pytest.raises(InputError, match="a share is a number above 0"):
        open_mixture([f"folders:/nowhere={share}"], HoldBack())


def test_lasots_test_set_is_never_trained_on(tmp_path: Path, clip) -> None:
    root = lasot(tmp_path, clip, "airplane-1", "airplane-2", "zebra-11")
    with pytest.raises(InputError, match=r"is the test set of a benchmark, .* its training set is lasot-train:/"):
        open_sources(f"lasot:{root}")
    (source,) = open_sources(f"lasot-train:{root}", "zebra-11")
    assert len(source) == 1
    with pytest.raises(InputError, match="no sequence airplane-1 to hold back"):
        open_mixture([f"lasot-train:{root}"], HoldBack(("airplane-1",)))


def test_lasots_extension_is_a_test_set_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is the test set of a benchmark, which is not to be trained on$"):
        open_sources(f"lasot-ext:{tmp_path}")


def test_trackingnets_parts(tmp_path: Path, clip) -> None:
    for part, name in (("TRAIN_0", "a_1"), ("TRAIN_7", "b_2"), ("TEST", "c_3")):
        clip(name)
        shutil.copytree(tmp_path / "clips" / name / "img", tmp_path / part / "frames" / name)
        (tmp_path / part / "anno").mkdir()
        shutil.copy(tmp_path / "clips" / name / "groundtruth.txt", tmp_path / part / "anno" / f"{name}.txt")
    (source,) = open_sources(f"trackingnet-train:{tmp_path}")
    assert len(source) == 2
    with pytest.raises(InputError, match=r"its training set is trackingnet-train:/"):
        open_sources(f"trackingnet:{tmp_path}")


def test_truth_that_is_hidden_is_refused(clip) -> None:
    root = clip("bag")
    (root / "bag" / "groundtruth.txt").write_text("4,3,12,9\n")
    with pytest.raises(InputError, match="keeps the truth of bag beyond the first frame to itself"):
        open_sources(f"folders:{root}")


def test_coco_by_folder_file_and_photos(coco, tmp_path: Path) -> None:
    root = coco(OBJECTS)
    file = root / "annotations" / "instances_train2017.json"
    apart = shutil.copy(file, tmp_path / "a,b.json")
    for spec in (f"coco:{root}", f"coco:{file}", f"coco:{apart},{root / 'train2017'}"):
        (source,) = open_sources(spec)
        assert len(source) == 1
        assert source.draw(np.random.default_rng(0)).search.picture.shape == (30, 40, 3)


@pytest.mark.parametrize("kind", ["coco", "folders"])
def test_a_missing_place_is_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FootageError, match="gone does not exist"):
        open_sources(f"{kind}:{tmp_path / 'gone'}")


@pytest.mark.parametrize("spec", ["/data", "", "cooc:/data", "C:/data", "data/coco"])
def test_an_unknown_kind_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match=r"does not say what kind of training data it is: .* known are: coco, davis"):
        open_sources(spec)


def test_a_kind_alone_is_refused() -> None:
    with pytest.raises(InputError, match="coco: names no place; write it as coco:/path"):
        open_sources("coco:")
