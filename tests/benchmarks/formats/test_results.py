"""What is written is read back, and what others wrote is found."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge.benchmarks.formats import ResultFormat, Track, check_track, open_results, pixel_origin, write_results
from ostrack_edge.runtime.errors import BenchmarkError, OutputError

RNG = np.random.default_rng(0)
WALK = Track(RNG.uniform(1, 200, (5, 4)).round(4), RNG.uniform(0.01, 0.1, 5).round(8))
RUN = Track(RNG.uniform(1, 200, (3, 4)).round(4), RNG.uniform(0.01, 0.1, 3).round(8))
TRACKS = {"walk": WALK, "run": RUN}


def write(path: Path, *texts: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(text + "\n" for text in texts))
    return path


def place(tmp_path: Path, kind: ResultFormat) -> Path:
    return tmp_path / ("results.zip" if kind.is_zip else "results")


@pytest.mark.parametrize("origin", [0, 1])
@pytest.mark.parametrize("kind", list(ResultFormat))
def test_what_is_written_is_read_back(tmp_path: Path, kind: ResultFormat, origin: int) -> None:
    out = place(tmp_path, kind)
    write_results(out, TRACKS, kind, origin=origin)
    found = open_results(out, TRACKS)
    assert found.missing == ()
    for name, track in TRACKS.items():
        (read,) = found.read(name, origin)
        assert read.boxes == pytest.approx(track.boxes, abs=1e-9)
        if kind is ResultFormat.TRACKINGNET:
            assert read.seconds is None
        else:
            assert read.seconds == pytest.approx(track.seconds, abs=1e-12)


def test_the_zip_for_got10k(tmp_path: Path) -> None:
    out = tmp_path / "tracker.zip"
    write_results(out, {"GOT-10k_Test_000001": [WALK, Track(WALK.boxes + 1, WALK.seconds)]}, ResultFormat.GOT10K)
    with zipfile.ZipFile(out) as archive:
        folder = "GOT-10k_Test_000001/GOT-10k_Test_000001"
        assert archive.namelist() == [f"{folder}_001.txt", f"{folder}_002.txt", f"{folder}_time.txt"]
        lines = archive.read(f"{folder}_001.txt").decode().splitlines()
        assert lines[0] == ",".join(f"{v:.4f}" for v in WALK.boxes[0])
        assert len(archive.read(f"{folder}_time.txt").decode().splitlines()[0].split(",")) == 2
    first, second = open_results(out, ["GOT-10k_Test_000001"]).read("GOT-10k_Test_000001")
    assert second.boxes == pytest.approx(first.boxes + 1)
    assert second.seconds == pytest.approx(WALK.seconds)


def test_the_zip_for_trackingnet_and_its_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_results(tmp_path / name, TRACKS, ResultFormat.TRACKINGNET)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["walk.txt", "run.txt"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_folders_for_matlab(tmp_path: Path) -> None:
    write_results(tmp_path / "lasot", TRACKS, ResultFormat.LASOT)
    write_results(tmp_path / "otb", {"walk": Track(WALK.boxes)}, ResultFormat.OTB, origin=1)
    assert {p.name for p in (tmp_path / "lasot").iterdir()} == {
        "walk.txt",
        "walk_time.txt",
        "run.txt",
        "run_time.txt",
    }
    assert [p.name for p in (tmp_path / "otb").iterdir()] == ["walk.txt"]
    first = (tmp_path / "otb" / "walk.txt").read_text().splitlines()[0].split(",")
    assert float(first[0]) == pytest.approx(WALK.boxes[0, 0] + 1)
    assert float(first[2]) == pytest.approx(WALK.boxes[0, 2])


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    broken = Track(np.array([[1, 1, 2, 2], [np.nan] * 4]))
    with pytest.raises(BenchmarkError, match="result of walk has no box in frame 1"):
        write_results(tmp_path / "a.zip", {"walk": broken}, ResultFormat.GOT10K)
    with pytest.raises(BenchmarkError, match="lasot takes one result of every sequence, and walk has 2"):
        write_results(tmp_path / "a", {"walk": [WALK, WALK]}, ResultFormat.LASOT)
    with pytest.raises(BenchmarkError, match="repetitions of walk differ in length"):
        write_results(tmp_path / "a.zip", {"walk": [WALK, RUN]}, ResultFormat.GOT10K)
    with pytest.raises(BenchmarkError, match=r"add \.zip"):
        write_results(tmp_path / "a", TRACKS, ResultFormat.TRACKINGNET)
    with pytest.raises(BenchmarkError, match="no results to write"):
        write_results(tmp_path / "a", {}, ResultFormat.LASOT)
    with pytest.raises(OutputError, match="there is no folder"):
        write_results(tmp_path / "none" / "a.zip", TRACKS, ResultFormat.GOT10K)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.zip"
    write_results(out, {"walk": WALK}, ResultFormat.GOT10K)
    before = out.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device; free some space there"):
        write_results(out, TRACKS, ResultFormat.GOT10K)
    assert out.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_files_are_found_wherever_they_lie_and_however_they_are_spelt(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "down" / "uav_bike1.txt", "1\t2\t3\t4")
    write(tmp_path / "deep" / "down" / "jogging_1.txt", "1 2 3 4")
    write(tmp_path / "deep" / "down" / "uav_bike1_time.txt", "0.5")
    found = open_results(tmp_path, ["bike1", "Jogging-1", "absent"])
    assert found.read("bike1")[0].boxes.tolist() == [[1, 2, 3, 4]]
    assert found.read("bike1")[0].seconds == pytest.approx([0.5])
    assert found.read("Jogging-1")[0].seconds is None
    assert found.missing == ("absent",)
    with pytest.raises(BenchmarkError, match="no result of the sequence absent"):
        found.read("absent")


def test_an_exact_name_comes_before_a_similar_one(tmp_path: Path) -> None:
    write(tmp_path / "Walk.txt", "1,1,1,1")
    write(tmp_path / "walk.txt", "2,2,2,2")
    found = open_results(tmp_path, ["walk", "Walk"])
    assert [found.read(name)[0].boxes[0, 0] for name in ("walk", "Walk")] == [2, 1]


def test_a_number_at_the_end_may_be_the_sequences_own(tmp_path: Path) -> None:
    for i, name in enumerate(("soccer_006", "soccer_007", "tennis_001", "tennis_002")):
        write(tmp_path / f"{name}.txt", f"{i},1,1,1")
    found = open_results(tmp_path, ["soccer_006", "soccer_007", "tennis", "soccer"])
    assert found.missing == ("soccer",)
    assert [found.read(name)[0].boxes[0, 0] for name in ("soccer_006", "soccer_007")] == [0, 1]
    assert [track.boxes[0, 0] for track in found.read("tennis")] == [2, 3]


def test_results_of_several_trackers_are_refused(tmp_path: Path) -> None:
    for tracker in ("a", "b"):
        write(tmp_path / tracker / "walk.txt", "1,1,1,1")
    with pytest.raises(BenchmarkError, match=r"several results of the sequence walk: a/walk\.txt, b/walk\.txt"):
        open_results(tmp_path, ["walk"])
    assert open_results(tmp_path / "b", ["walk"]).where("walk") == str(tmp_path / "b" / "walk.txt")


def test_what_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="neither a folder nor a zip"):
        open_results(tmp_path / "none", ["walk"])
    with pytest.raises(BenchmarkError, match="holds no result files"):
        open_results(tmp_path, ["walk"])
    write(tmp_path / "other.txt", "1,1,1,1")
    with pytest.raises(BenchmarkError, match=r"no result of any sequence: looked for walk, ...; found other\.txt, ..."):
        open_results(tmp_path, ["walk"])
    with pytest.raises(BenchmarkError, match=r"other\.txt is no zip file"):
        open_results(tmp_path / "other.txt", ["walk"])
    (tmp_path / "walk.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BenchmarkError, match=r"walk\.txt is no text file"):
        open_results(tmp_path, ["walk"]).read("walk")


def test_a_damaged_zip_is_one_sentence(tmp_path: Path) -> None:
    out = tmp_path / "a.zip"
    write_results(out, {"walk": Track(RNG.uniform(1, 9, (500, 4)))}, ResultFormat.TRACKINGNET)
    data = bytearray(out.read_bytes())
    data[200:400] = bytes(200)
    out.write_bytes(data)
    with pytest.raises(BenchmarkError, match=r"walk\.txt cannot be unpacked"):
        open_results(out, ["walk"]).read("walk")


def test_times_of_another_length_are_not_these(tmp_path: Path) -> None:
    write(tmp_path / "walk.txt", "1,1,1,1", "1,1,1,1")
    write(tmp_path / "walk_time.txt", "0.5")
    assert open_results(tmp_path, ["walk"]).read("walk")[0].seconds is None


def test_a_result_of_another_sequence_is_noticed() -> None:
    truth = np.array([[10, 10, 20, 20.0]] * 5)
    near = Track(np.array([[11, 11, 20, 20.0]] * 5))
    check_track(near, truth, 5, "walk", "walk.txt")
    check_track(near, truth[:1], 5, "walk", "walk.txt")
    with pytest.raises(BenchmarkError, match=r"walk\.txt has 5 boxes and the sequence walk 6 frames"):
        check_track(near, truth, 6, "walk", "walk.txt")
    far = Track(np.array([[100, 11, 20, 20.0]] * 5))
    with pytest.raises(BenchmarkError, match="starts at 100,11,20,20 and the truth of walk at 10,10,20,20"):
        check_track(far, truth, 5, "walk", "walk.txt")


def test_the_origin_shows_in_the_first_boxes() -> None:
    truths = [np.array([[10, 10, 20, 20.0]]), np.array([[3, 5, 20, 20.0]]), np.array([[0, 0, 5, 5.0]])]
    shifted = [Track(np.add(truth, (1, 1, 0, 0))) for truth in truths]
    assert pixel_origin([Track(truth) for truth in truths], truths) == 0
    assert pixel_origin(shifted, truths) == 1
    assert pixel_origin([shifted[0], Track(truths[1]), Track(truths[2] + 0.5)], truths) == 0
    assert pixel_origin([Track(np.full((1, 4), np.nan))], truths[:1]) == 0


def test_a_track_has_a_time_per_box() -> None:
    with pytest.raises(BenchmarkError, match=r"a track of 2 boxes has times of shape \[3\]"):
        Track(np.ones((2, 4)), np.ones(3))
    with pytest.raises(BenchmarkError, match=r"not an array \[2, 3\]"):
        Track(np.ones((2, 3)))
