from __future__ import annotations

import json
import pickle
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge.runtime.errors import FootageError, InputError
from ostrack_edge.runtime.geometry import Box
from ostrack_edge.train.data.coco import CocoSource, find_coco

OBJECTS = [(1, (1, 2, 10, 8), 0), (3, (5.5, 6, 20, 15), 0), (1, (0, 0, 40, 30), 0)]


def drawn(source: CocoSource, count: int = 600, seed: int = 0) -> Counter[tuple[int, Box]]:
    """Which photo, by its grey, and which box, how often."""
    random = np.random.default_rng(seed)
    views = [source.draw(random).template for _ in range(count)]
    return Counter((int(view.picture[0, 0, 0]) // 10, view.box) for view in views)


# ---- what is drawn


def test_every_object_alike_on_its_own_photo(coco) -> None:
    source = CocoSource(find_coco(coco(OBJECTS)))
    assert (len(source), source.notes) == (3, ())
    found = drawn(source)
    assert set(found) == {(photo, Box(*map(float, box))) for photo, box, _ in OBJECTS}
    assert all(150 < count < 250 for count in found.values())


def test_one_photo_is_both_views(coco) -> None:
    pair = CocoSource(find_coco(coco(OBJECTS))).draw(np.random.default_rng(0))
    assert pair.template is pair.search
    assert (pair.search.picture.dtype, pair.search.picture.shape) == (np.uint8, (30, 40, 3))
    assert all(type(value) is float for value in pair.search.box)


def test_groups_and_slivers_are_left_out_and_noted(coco) -> None:
    slivers = [(2, (5, 5, 1.5, 9), 0), (2, (5, 5, 0, 0), 0), (2, (39, 5, 20, 9), 0), (2, (50, 5, 20, 9), 0)]
    slivers += [(2, (5, 5, -9, 9), 0), (2, (float("nan"), 5, 9, 9), 0), (2, (5, 5, float("inf"), 9), 0)]
    root = coco([*OBJECTS, (2, (1, 1, 30, 20), 1), *slivers])
    source = CocoSource(find_coco(root))
    assert len(source) == 3
    assert {photo for photo, _ in drawn(source)} == {1, 3}
    (note,) = source.notes
    assert note.startswith("8 of 11 objects of coco:")
    assert note.endswith("are left out: 1 groups, 7 of less than 2 pixels")
    assert len(CocoSource(find_coco(root), min_side=9)) == 2


def test_boxes_are_cut_to_their_photo(coco) -> None:
    source = CocoSource(find_coco(coco([(1, (-5, 20, 15, 50), 0)])))
    assert source.draw(np.random.default_rng(0)).search.box == Box(0, 20, 10, 10)


def test_no_object_left_is_refused(coco) -> None:
    with pytest.raises(InputError, match="holds no object to train on, 1 that are groups or too small"):
        CocoSource(find_coco(coco([(1, (1, 1, 30, 20), 1)])))
    with pytest.raises(InputError, match="holds no object to train on, 0 that"):
        CocoSource(find_coco(coco([])))


def test_the_same_random_numbers_give_the_same_pairs_also_elsewhere(coco) -> None:
    source = CocoSource(find_coco(coco(OBJECTS)))
    again = pickle.loads(pickle.dumps(source))  # noqa: S301 - made here
    assert drawn(again, 20, seed=4) == drawn(source, 20, seed=4) != drawn(source, 20, seed=5)


def test_outlines_are_not_kept(coco) -> None:
    outline = [[float(value) for value in range(5000)]]
    root = coco(OBJECTS)
    file = root / "annotations" / "instances_train2017.json"
    whole = json.loads(file.read_text())
    for item in whole["annotations"]:
        item["segmentation"] = outline
    file.write_text(json.dumps(whole))
    assert len(pickle.dumps(CocoSource(find_coco(root)))) < 3000


def test_a_turned_photo_is_taken_as_it_is_stored(coco) -> None:
    """A camera's note that the photo is to be turned by a quarter does not turn it: boxes do not turn with it."""
    root = coco([(1, (1, 2, 10, 8), 0)])
    path = root / "train2017" / f"{1:012d}.png"
    jpeg = cv2.imencode(".jpg", np.full((30, 40, 3), 10, np.uint8))[1].tobytes()
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(turned) + 2).to_bytes(2, "big") + turned + jpeg[2:])
    seen = cv2.imread(str(path))
    assert seen is not None
    assert seen.shape == (40, 30, 3)
    assert CocoSource(find_coco(root)).draw(np.random.default_rng(0)).search.picture.shape == (30, 40, 3)


# ---- where it lies


@pytest.mark.parametrize("images", ["train2017", "images/train2017", "images"])
def test_photos_lie_in_one_of_three_places(coco, images: str) -> None:
    root = coco(OBJECTS, images)
    assert find_coco(root).images == root / images
    assert drawn(CocoSource(find_coco(root)), 10)


def test_the_later_training_set_is_taken_and_never_the_validation_set(coco) -> None:
    root = coco(OBJECTS, "val2017", "instances_val2017.json")
    with pytest.raises(
        FootageError, match=r"looked for annotations/instances_train2017\.json or .* found instances_val"
    ):
        find_coco(root)
    coco(OBJECTS, "train2014", "instances_train2014.json")
    assert find_coco(root).images.name == "train2014"
    coco(OBJECTS)
    assert find_coco(root).images.name == "train2017"
    assert find_coco(root / "annotations" / "instances_val2017.json").images.name == "val2017"


def test_a_file_and_a_folder_of_photos(coco, tmp_path: Path) -> None:
    root = coco(OBJECTS)
    file = (root / "annotations" / "instances_train2017.json").rename(tmp_path / "mine.json")
    with pytest.raises(
        FootageError, match=r"the photos of .*mine\.json are not there: looked for .*images.*unpack them"
    ):
        find_coco(file)
    assert drawn(CocoSource(find_coco(file, root / "train2017")), 10)
    with pytest.raises(FootageError, match="gone is no folder of photos: nothing is there"):
        find_coco(file, tmp_path / "gone")


# ---- what is damaged


def test_a_missing_and_a_damaged_photo_are_named(coco) -> None:
    root = coco([(1, (1, 2, 10, 8), 0)])
    source = CocoSource(find_coco(root))
    photo = root / "train2017" / f"{1:012d}.png"
    photo.write_bytes(photo.read_bytes()[:40])
    with pytest.raises(FootageError, match=r"000001\.png is no image that can be decoded"):
        source.draw(np.random.default_rng(0))
    photo.unlink()
    with pytest.raises(FootageError, match=r"000001\.png cannot be read: No such file"):
        source.draw(np.random.default_rng(0))


def test_a_photo_of_another_size_is_refused(coco) -> None:
    root = coco([(1, (1, 2, 10, 8), 0)])
    cv2.imwrite(str(root / "train2017" / f"{1:012d}.png"), np.zeros((15, 20, 3), np.uint8))
    with pytest.raises(FootageError, match=r"has 20 x 15 pixels, and 40 x 30 by .*: its boxes do not fit"):
        CocoSource(find_coco(root)).draw(np.random.default_rng(0))


def test_sizes_need_not_be_announced(coco) -> None:
    root = coco(OBJECTS)
    file = root / "annotations" / "instances_train2017.json"
    whole = json.loads(file.read_text())
    whole["images"] = [{"id": photo["id"], "file_name": photo["file_name"]} for photo in whole["images"]]
    file.write_text(json.dumps(whole))
    assert set(drawn(CocoSource(find_coco(root)))) == {(photo, Box(*map(float, box))) for photo, box, _ in OBJECTS}


def test_half_a_file_is_refused(coco) -> None:
    root = coco(OBJECTS)
    file = root / "annotations" / "instances_train2017.json"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(FootageError, match=r"train2017\.json is no whole JSON file \(.*\); get a whole copy"):
        CocoSource(find_coco(root))
    file.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(FootageError, match=r"train2017\.json is no whole JSON file"):
        CocoSource(find_coco(root))


PHOTO = {"id": 1, "file_name": "a.png", "width": 40, "height": 30}
OBJECT = {"id": 7, "image_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0}


@pytest.mark.parametrize(
    ("whole", "what"),
    [
        ([], "outermost object should have the lists images and annotations"),
        ({"images": [PHOTO]}, "outermost object should have"),
        ({"images": {}, "annotations": []}, "outermost object should have"),
        ({"images": [{"id": 1}], "annotations": [OBJECT]}, "every entry of images should have an id and a file_name"),
        ({"images": [PHOTO], "annotations": [{"bbox": [1, 2, 3, 4]}]}, "every entry of annotations should have"),
        ({"images": [PHOTO], "annotations": [{**OBJECT, "bbox": [1, 2, 3]}]}, "object 7 should have an image_id and"),
        ({"images": [PHOTO], "annotations": [{**OBJECT, "bbox": None}]}, "object 7 should have an image_id and"),
        ({"images": [PHOTO], "annotations": [{**OBJECT, "bbox": [1, 2, 3, "x"]}]}, "object 7 should have"),
        ({"images": [PHOTO], "annotations": [{**OBJECT, "image_id": None}]}, "object 7 should have"),
        ({"images": [PHOTO], "annotations": [{"id": 7, "image_id": 1, "caption": "a cup"}]}, "object 7 should have"),
        ({"images": [{**PHOTO, "width": "wide"}], "annotations": [OBJECT]}, "photo 1 should have a number"),
        ({"images": [PHOTO], "annotations": [{**OBJECT, "image_id": 2}]}, "1 of its objects are of photos .* photo 2"),
        (
            {"images": [], "annotations": [OBJECT]},
            "1 of its objects are of photos that it does not list, such as photo 1",
        ),
    ],
)
def test_another_format_is_refused_with_what_is_wrong(coco, whole: object, what: str) -> None:
    root = coco(OBJECTS)
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(whole))
    with pytest.raises(
        FootageError, match=rf"is no whole file of COCO's detection annotations: .*{what}.*; get a whole"
    ):
        CocoSource(find_coco(root))
