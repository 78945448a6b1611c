"""`ostrack-track run` on a real bundle."""

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge import Box, OSTrackEdgeError, Tracker
from ostrack_edge.datasets import Scene, open_footage, read_boxes
from ostrack_edge.models import default_card
from ostrack_edge.runtime.errors import BackendError, BundleError, FootageError, InputError, OutputError
from ostrack_edge.service.run import TrackingJob, run_job

MAIN = "from ostrack_edge.service.cli import main; main()"


@pytest.fixture
def job(clip: Path, tiny_bundle: Path, tmp_path: Path) -> TrackingJob:
    """The clip, into a folder that is empty but for what the run leaves."""
    folder = tmp_path / "out"
    folder.mkdir()
    return TrackingJob(clip, tiny_bundle, out=folder / "seen.mp4", results=folder / "boxes.txt", threads=1)


def left(job: TrackingJob) -> list[str]:
    assert job.out is not None
    return sorted(path.name for path in job.out.parent.iterdir())


def track(*args: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", "-c", MAIN, "run", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# ---- what a run leaves


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_the_annotated_video_has_every_frame_with_the_box(job: TrackingJob, suffix: str) -> None:
    assert job.out is not None
    job = dataclasses.replace(job, out=job.out.with_suffix(suffix))
    run_job(job)
    assert job.out is not None
    with open_footage(job.video) as before, open_footage(job.out) as after:
        assert (after.size, after.fps, after.frame_count) == (before.size, before.fps, 12)
        differences = [np.abs(a.astype(int) - b).max() for a, b in zip(after, before, strict=True)]
    assert min(differences) > 60
    assert left(job) == ["boxes.txt", job.out.name]


def test_the_results_are_the_trackers_boxes(job: TrackingJob) -> None:
    run_job(job)
    assert job.results is not None
    found = np.array(read_boxes(job.results))
    tracker = Tracker.load(job.bundle, threads=1)
    with open_footage(job.video) as footage:
        assert footage.truth is not None
        frames = list(footage)
        tracker.init(frames[0], footage.truth[0])
        expected = [footage.truth[0], *(tracker.update(frame).box for frame in frames[1:])]
    assert np.allclose(found, np.array(expected), atol=1e-3)
    assert all(re.fullmatch(r"-?\d+\.\d{4}", part) for part in job.results.read_text().split("\n")[3].split(","))


def test_a_given_box_goes_before_the_truth(job: TrackingJob) -> None:
    run_job(dataclasses.replace(job, init=Box(50, 40, 30, 20)))
    assert job.results is not None
    assert read_boxes(job.results)[0] == Box(50, 40, 30, 20)


def test_a_folder_of_images_gives_the_same_boxes(job: TrackingJob, tmp_path: Path) -> None:
    with open_footage(job.video) as footage:
        (tmp_path / "sequence" / "img").mkdir(parents=True)
        for number, frame in enumerate(footage, 1):
            cv2.imwrite(str(tmp_path / "sequence" / "img" / f"{number}.png"), frame)
        assert footage.truth_file is not None
        shutil.copy(footage.truth_file, tmp_path / "sequence" / "groundtruth.txt")
    run_job(job)
    images = dataclasses.replace(job, video=tmp_path / "sequence", out=None, results=tmp_path / "images.txt")
    run_job(images)
    assert job.results is not None
    assert images.results is not None
    assert images.results.read_text() == job.results.read_text()


# ---- what a run says


def test_the_summary(job: TrackingJob) -> None:
    lines = run_job(job)
    assert re.fullmatch(
        r"tracked 12 frames of .*clip\.mp4 in \d+\.\d s: \d+\.\d frames/s with reading and writing; "
        r"one update takes \d+\.\d ms \(median\)",
        lines[0],
    )
    assert lines[1].startswith("backend onnxruntime (auto: the first that can run the bundle here; tensorrt was ")
    assert "): library onnxruntime " in lines[1]
    assert re.fullmatch(
        r"against .*clip\.groundtruth\.txt: mean IoU 0\.\d{3}, success 0\.\d{3} over 12 of 12 frames", lines[2]
    )
    assert lines[3] == "the bundle holds made-up weights: its boxes mean nothing, only its times do"
    assert [line.startswith("wrote ") for line in lines[4:]] == [True, True]


def test_a_backend_asked_for_by_name(job: TrackingJob) -> None:
    assert "backend onnxruntime (as asked for): " in run_job(dataclasses.replace(job, backend="onnxruntime"))[1]
    with pytest.raises(BackendError, match="there is no backend 'tensorflow'"):
        run_job(dataclasses.replace(job, backend="tensorflow"))


def test_a_truth_of_another_length_is_told(job: TrackingJob, tmp_path: Path) -> None:
    video = shutil.copy(job.video, tmp_path / "short.mp4")
    truth = tmp_path / "short.groundtruth.txt"
    truth.write_text("40,30,24,24\nnan,nan,nan,nan\n40,30,24,24\n")
    assert run_job(dataclasses.replace(job, video=Path(video)))[2].endswith("over 2 of 12 frames (it has 3 lines)")


def test_a_damaged_truth_costs_only_the_comparison(job: TrackingJob, tmp_path: Path) -> None:
    video = Path(shutil.copy(job.video, tmp_path / "other.mp4"))
    (tmp_path / "groundtruth.txt").write_text("1,2\n")
    with pytest.raises(FootageError, match="line 1 should be four numbers"):
        run_job(dataclasses.replace(job, video=video))
    lines = run_job(dataclasses.replace(job, video=video, init=Box(40, 30, 24, 24)))
    assert lines[2].startswith("not compared with the ground truth: ")


def test_one_frame_is_footage(job: TrackingJob, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    cv2.imwrite(str(tmp_path / "one" / "1.png"), Scene(160, 120).frame(0))
    lines = run_job(dataclasses.replace(job, video=tmp_path / "one", init=Box(40, 30, 24, 24)))
    assert lines[0].startswith("tracked 1 frame of ")
    assert "median" not in lines[0]


# ---- what a run refuses, and that nothing is left then


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"video": Path("gone.mp4")}, FootageError, r"gone\.mp4 does not exist"),
        ({"bundle": Path("gone")}, BundleError, "gone is no bundle"),
        ({"init": Box(500, 500, 5, 5)}, InputError, "outside the frame of 160 x 120"),
        ({"out": Path("gone/seen.mp4")}, OutputError, "there is no folder"),
        ({"threads": 0}, InputError, "give at least 1"),
    ],
)
def test_refusals(job: TrackingJob, change: dict[str, object], kind: type[OSTrackEdgeError], said: str) -> None:
    with pytest.raises(kind, match=said):
        run_job(dataclasses.replace(job, **change))
    assert left(job) == []


def test_no_box_and_no_truth(job: TrackingJob, tmp_path: Path) -> None:
    video = Path(shutil.copy(job.video, tmp_path / "bare.mp4"))
    with pytest.raises(InputError, match=r"has no ground truth beside it .* --init X,Y,W,H"):
        run_job(dataclasses.replace(job, video=video))
    (tmp_path / "bare.groundtruth.txt").write_text("nan,nan,nan,nan\n")
    with pytest.raises(InputError, match=r"the first box of .*bare\.groundtruth\.txt has a coordinate"):
        run_job(dataclasses.replace(job, video=video))


def test_footage_that_ends_early(job: TrackingJob, tmp_path: Path) -> None:
    Scene(160, 120, frames=40).write_video(tmp_path / "whole.avi")
    data = (tmp_path / "whole.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    job = dataclasses.replace(job, video=tmp_path / "cut.avi", init=Box(40, 30, 24, 24))
    with pytest.raises(FootageError, match=r"cut\.avi ends after \d+ of the 40 frames"):
        run_job(job)
    assert left(job) == []
    lines = run_job(dataclasses.replace(job, allow_truncated=True))
    assert any(re.search(r"ended after \d+ of the 40 frames", line) for line in lines)
    assert left(job) == ["boxes.txt", "seen.mp4"]


def test_an_interrupted_run_leaves_what_was_there(job: TrackingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    assert job.out is not None
    assert job.results is not None
    job.out.write_bytes(b"the old video")
    job.results.write_bytes(b"the old boxes")
    update, calls = Tracker.update, []

    def interrupted(self: Tracker, frame: np.ndarray) -> object:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return update(self, frame)

    monkeypatch.setattr(Tracker, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_job(job)
    assert left(job) == ["boxes.txt", "seen.mp4"]
    assert (job.out.read_bytes(), job.results.read_bytes()) == (b"the old video", b"the old boxes")


def test_no_results_without_the_video(job: TrackingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2.VideoCapture, "grab", lambda self: False)
    with pytest.raises(FootageError, match="0 of 12 frames reached the disk"):
        run_job(job)
    assert left(job) == []


# ---- the command


def test_the_command(job: TrackingJob) -> None:
    assert job.out is not None
    done = track(job.video, "--bundle", job.bundle, "--init", "40,30,24,24", "--out", job.out, "--threads", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tracked 12 frames")
    assert left(job) == ["seen.mp4"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (
            ["gone.mp4", "--bundle", "gone"],
            1,
            "error: gone.mp4 does not exist; give a video file",
        ),
        (
            ["gone.mp4", "--bundle", "gone", "--init", "1,2,3"],
            2,
            "error: Invalid value for '--init': a box is four",
        ),
    ],
)
def test_the_command_fails_in_one_sentence(args: list[str], code: int, said: str) -> None:
    done = track(*args)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_without_a_bundle_the_default_model_tracks(job: TrackingJob) -> None:
    done = track(job.video, "--results", job.results, "--threads", "1")
    assert done.returncode == 0
    assert done.stderr == f"no bundle given: the default model edge, described in {default_card()}\n"
    assert done.stdout.startswith("tracked 12 frames")
    assert "made-up weights" not in done.stdout


def test_a_video_that_does_not_open_is_one_sentence(job: TrackingJob, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    done = track(tmp_path / "text.mp4", "--bundle", job.bundle)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'text.mp4'} does not open as a video")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("footage", ["video/bag.avi", "sequences/Crossing"])
def test_real_footage(shared: Path, job: TrackingJob, footage: str) -> None:
    lines = run_job(dataclasses.replace(job, video=shared / footage))
    assert lines[0].startswith(f"tracked {196 if 'bag' in footage else 120} frames")
    assert lines[2].startswith("against ")
    assert left(job) == ["boxes.txt", "seen.mp4"]
