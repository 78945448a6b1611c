import math

import numpy as np
import pytest
from ostrack_edge.benchmarks.formats import parse_boxes, parse_seconds
from ostrack_edge.runtime.errors import BenchmarkError


@pytest.mark.parametrize(
    "line",
    ["1,2,3,4.5", "1\t2\t3\t4.5", "1 2 3 4.5", "1;2;3;4.5", " 1,  2,\t3 ,4.5 ", "1.0e0,2.00,+3,4.50", "1,2,3,4.5,"],
)
def test_separators_of_every_kind(line: str) -> None:
    assert parse_boxes(f"{line}\r\n{line}\n\n", "walk.txt").tolist() == [[1, 2, 3, 4.5]] * 2


def test_polygons_give_their_upright_box_and_marks_no_box() -> None:
    boxes = parse_boxes("\ufeff1\n10,20,30,15,35,40,12,44\nNaN,nan,NaN,NaN\n0\n2", "walk.txt")
    assert boxes[1].tolist() == [10, 15, 25, 29]
    assert np.isnan(boxes[[0, 2, 3, 4]]).all()


@pytest.mark.parametrize("line", ["1,2,3", "1,2,3,4,5", "x,y,w,h", "1,2,3,inf", "3", "", "1,2,3,4 5 6"])
def test_a_line_that_is_no_box_is_named(line: str) -> None:
    with pytest.raises(BenchmarkError, match=r"walk\.txt, line 2 should be four numbers x,y,w,h"):
        parse_boxes(f"1,2,3,4\n{line}\n1,2,3,4\n", "walk.txt")


def test_a_file_without_lines() -> None:
    with pytest.raises(BenchmarkError, match=r"walk\.txt is empty"):
        parse_boxes("\n\n", "walk.txt")
    with pytest.raises(BenchmarkError, match="is empty"):
        parse_seconds("", "walk_time.txt")


def test_seconds_in_columns() -> None:
    found = parse_seconds("0.5,0.25\n\n0.125\t0.1\n", "walk_time.txt")
    assert found[0].tolist() == [0.5, 0.25]
    assert found[2].tolist() == [0.125, 0.1]
    assert all(map(math.isnan, found[1].tolist()))
    with pytest.raises(BenchmarkError, match=r"line 2 should be the seconds of a frame, not '0\.1'"):
        parse_seconds("0.5,0.25\n0.1\n", "walk_time.txt")
    with pytest.raises(BenchmarkError, match="line 1 should be the seconds"):
        parse_seconds("fast\n", "walk_time.txt")


@pytest.mark.parametrize("line", ["1e300,1,2,3", "1,1,-1e300,3", "1,1,inf,3", "1e300,1,2,3,4,5,6,7"])
def test_a_box_out_of_this_world_is_named(line: str) -> None:
    with pytest.raises(BenchmarkError, match=r"a\.txt, line 2 should be four numbers x,y,w,h, not '1"):
        parse_boxes(f"1,2,3,4\n{line}\n", "a.txt")
