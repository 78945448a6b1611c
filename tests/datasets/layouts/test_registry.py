from pathlib import Path

import pytest
from ostrack_edge.datasets.registry import LAYOUTS, open_dataset
from ostrack_edge.runtime.errors import FootageError, InputError

PREFIXES = (
    "davis folders got10k itb lasot lasot-ext lasot-train nfs nfs240 otb tnl2k trackingnet trackingnet-train uav123 "
    "uav20l video vot"
)


def test_the_layouts() -> None:
    assert sorted(layout.prefix for layout in LAYOUTS) == PREFIXES.split()


def test_an_unknown_prefix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'coco' in coco:.* is no layout of data; known are: davis, folders, got10k"):
        open_dataset(f"coco:{tmp_path}")


def test_a_prefix_alone_is_refused() -> None:
    with pytest.raises(InputError, match=r"got10k: names no folder; write it as got10k:/path"):
        open_dataset("got10k:")


@pytest.mark.parametrize("prefix", ["", "got10k:", "C:"])
def test_a_missing_folder_is_named(prefix: str) -> None:
    with pytest.raises(FootageError, match=r"gone does not exist; give the folder of a data set"):
        open_dataset(f"{prefix}/gone")


def test_prefixes_in_any_case_and_paths_with_a_colon(tmp_path: Path, images, lines) -> None:
    images(tmp_path / "my:bag" / "img", ["1.png"])
    lines(tmp_path / "my:bag" / "groundtruth.txt", ["1,2,3,4"])
    assert [s.name for s in open_dataset(f"Folders:{tmp_path / 'my:bag'}").sequences] == ["my:bag"]


@pytest.mark.parametrize("prefix", ["", "folders:"])
def test_the_home_folder(tmp_path: Path, images, lines, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    images(tmp_path / "bag" / "img", ["1.png"])
    lines(tmp_path / "bag" / "groundtruth.txt", ["1,2,3,4"])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [s.name for s in open_dataset(f"{prefix}~/bag").sequences] == ["bag"]


def test_a_path_with_a_colon_needs_no_prefix(tmp_path: Path, images, lines, monkeypatch: pytest.MonkeyPatch) -> None:
    images(tmp_path / "my:bag" / "img", ["1.png"])
    lines(tmp_path / "my:bag" / "groundtruth.txt", ["1,2,3,4"])
    monkeypatch.chdir(tmp_path)
    assert open_dataset("my:bag").name == "folders"


def test_what_is_no_layout_is_refused_with_what_was_looked_for_and_found(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.csv").touch()
    (tmp_path / ".hidden").touch()
    with pytest.raises(FootageError) as caught:
        open_dataset(tmp_path)
    said = str(caught.value)
    assert "found 0.csv, 1.csv, 2.csv, 3.csv, 4.csv, 5.csv, 6.csv, 7.csv and 2 more" in said
    assert all(f"{layout.prefix}: {layout.wanted}" in said for layout in LAYOUTS)
    assert said.endswith(f"name its layout before it, as in folders:{tmp_path}")


def test_a_text_file_is_no_layout(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a\n")
    with pytest.raises(FootageError, match="like no data set that is known: found a file of 2 bytes"):
        open_dataset(tmp_path / "list.txt")


@pytest.mark.parametrize("prefix", ["got10k", "vot"])
def test_an_empty_list_is_refused(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(FootageError, match=r"list\.txt names no sequence"):
        open_dataset(f"{prefix}:{tmp_path}")


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FootageError, match=r"list\.txt is no text file"):
        open_dataset(f"got10k:{tmp_path}")
