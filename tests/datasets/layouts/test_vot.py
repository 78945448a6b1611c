from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.datasets.layouts.regions import parse_region
from ostrack_edge.datasets.registry import open_dataset
from ostrack_edge.runtime.errors import FootageError

POLYGON = "1,1,5,2,4,6,0,5"
HUGE_RUN = "m1,2,2,2,99999999999999"
HUGE_WINDOW = "m1,2,99999999,99999999,0,1"


@pytest.fixture
def root(tmp_path: Path, images, lines) -> Path:
    """A sequence as the challenges since 2018 give them: colour, a file of facts, masks, anchors."""
    lines(tmp_path / "list.txt", ["agility"])
    folder = tmp_path / "agility"
    images(folder / "color", [f"{i:08d}.jpg" for i in range(1, 5)])
    facts = ["name=agility", "fps=24", "format=default", "channel.default=color", "channels.color=color/%08d.jpg"]
    lines(folder / "sequence", [*facts, "width=640", "height=480"])
    # A window of 4 x 2 pixels at 10, 20: its rows are .XX. and .XXX.
    lines(folder / "groundtruth.txt", ["m10,20,4,2,1,2,2,3", "m10,20,2,1,0,2", "0", "m0,0,0,0,0"])
    lines(folder / "anchor.value", [[1.0], [0.0], [0.0], [-1.0]])
    lines(folder / "occlusion.tag", [[0], [1], [1], [0]])
    return tmp_path


@pytest.mark.parametrize("prefix", ["vot:", ""])
def test_masks_anchors_and_facts(root: Path, greys, prefix: str) -> None:
    dataset = open_dataset(f"{prefix}{root}")
    (sequence,) = dataset.sequences
    assert (dataset.name, sequence.name, sequence.fps, sequence.size) == ("vot", "agility", 24.0, (640, 480))
    assert greys(list(sequence.frames)) == [0, 1, 2, 3]
    assert sequence.truth[:2].tolist() == [[11, 20, 3, 2], [10, 20, 2, 1]]
    assert np.isnan(sequence.truth[2:]).all()
    # Occlusion is partial as well: it flags no absence.
    assert sequence.absent.tolist() == [False, False, True, True]
    assert sequence.anchors is not None
    assert sequence.anchors.tolist() == [1, 0, 0, -1]
    assert sequence.polygons is None


@pytest.mark.parametrize("prefix", ["vot:", ""])
def test_polygons_as_until_2017(tmp_path: Path, images, lines, prefix: str) -> None:
    lines(tmp_path / "list.txt", ["ants1"])
    images(tmp_path / "ants1", ["00000001.jpg", "00000002.jpg"])
    lines(tmp_path / "ants1" / "groundtruth.txt", [POLYGON, "2.5,3,4,5"])
    (sequence,) = open_dataset(f"{prefix}{tmp_path}").sequences
    assert sequence.truth.tolist() == [[0, 1, 5, 5], [2.5, 3, 4, 5]]
    assert sequence.polygons is not None
    assert sequence.polygons[0] is not None
    assert sequence.polygons[0].tolist() == [[1, 1], [5, 2], [4, 6], [0, 5]]
    assert sequence.polygons[1] is None
    assert (sequence.anchors, sequence.fps, sequence.size) == (None, 30.0, (32, 24))


def test_a_workspace(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    workspace = tmp_path_factory.mktemp("workspace")
    (workspace / "sequences").symlink_to(root)
    assert [s.name for s in open_dataset(workspace).sequences] == ["agility"]


def test_several_targets(root: Path, lines) -> None:
    (root / "agility" / "groundtruth.txt").unlink()
    lines(root / "agility" / "groundtruth_A.txt", ["1,2,3,4"] * 4)
    lines(root / "agility" / "groundtruth_B.txt", ["5,2,3,4"] * 4)
    assert [s.name for s in open_dataset(root).sequences] == ["agility_A", "agility_B"]


def test_frames_beyond_the_truth_are_neither_annotated_nor_absent(root: Path, lines) -> None:
    lines(root / "agility" / "groundtruth.txt", ["1,2,3,4"] * 3)
    (sequence,) = open_dataset(root).sequences
    assert np.isnan(sequence.truth[3]).all()
    assert not sequence.absent.any()


def test_hidden_truth(root: Path, lines) -> None:
    lines(root / "agility" / "groundtruth.txt", ["1,2,3,4"])
    (sequence,) = open_dataset(root).sequences
    assert (sequence.hidden, len(sequence.truth), len(sequence)) == (True, 1, 4)


def test_more_truth_than_frames_is_refused(root: Path, lines) -> None:
    lines(root / "agility" / "groundtruth.txt", ["1,2,3,4"] * 5)
    with pytest.raises(FootageError, match="holds 5 regions for 4 frames"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("facts", "folder"),
    [
        (["channels.ir=ir/%08d.jpg"], "ir"),
        (["channels.color=colour/"], "colour"),
        (["channels.color=colour\\%08d.png"], "colour"),
        (["channels.depth=depth/%08d.png", "channels.color=colour/%08d.jpg"], "colour"),
        (["fps=none"], "color"),
    ],
)
def test_channels(tmp_path: Path, images, lines, files, facts: list[str], folder: str) -> None:
    lines(tmp_path / "list.txt", ["s"])
    images(tmp_path / "s" / folder, ["00000001.jpg"])
    lines(tmp_path / "s" / "sequence.ini", ["[sequence]", *facts])
    lines(tmp_path / "s" / "groundtruth.txt", ["1,2,3,4"])
    (sequence,) = open_dataset(tmp_path).sequences
    assert (files(sequence), sequence.fps) == ([f"{folder}/00000001.jpg"], 30.0)


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("1,2,3,4", [1, 2, 3, 4]),
        ("1.5 2 3 4", [1.5, 2, 3, 4]),
        ("0,0,10,0,5,8", [0, 0, 10, 8]),
        ("m3,4,3,3,4,1,4", [4, 5, 1, 1]),
        ("m3,4,1,2,0,1", [3, 4, 1, 1]),
    ],
)
def test_regions(line: str, box: list[float]) -> None:
    region = parse_region(line, "here")
    assert (region.box.tolist(), region.empty) == (box, False)


@pytest.mark.parametrize("line", ["0", "1", "2", "nan,nan,nan,nan", ",".join(["nan"] * 8), "m0,0,0,0,0", "m5,5,2,2,4"])
def test_empty_regions(line: str) -> None:
    region = parse_region(line, "here")
    assert (region.empty, region.polygon) == (True, None)


@pytest.mark.parametrize(
    "line",
    ["", "1,2", "1,2,3,4,5", "a,b,c,d", "1,2,3,inf", "m1,2,3", "m1,2,2,2,9", "m1,2,-2,2,0", HUGE_RUN, HUGE_WINDOW],
)
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(FootageError, match=r"groundtruth\.txt, line 7 should be a box x,y,w,h, a polygon"):
        parse_region(line, "groundtruth.txt, line 7")


def test_a_missing_sequence_is_named(root: Path, lines) -> None:
    lines(root / "list.txt", ["agility", "ants1"])
    with pytest.raises(FootageError, match=r"ants1 is not there, though list\.txt"):
        open_dataset(root)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "agility").mkdir()
    with pytest.raises(FootageError, match=r"as VOT: looked for list\.txt .* found agility$"):
        open_dataset(f"vot:{tmp_path}")
