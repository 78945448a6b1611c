import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import Box
from ostrack_edge.datasets import Scene, open_footage, read_boxes, truth_path
from ostrack_edge.runtime.errors import FootageError, InputError


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(width=320, height=240)


def area_side(box: Box) -> float:
    return (box.width * box.height) ** 0.5


def test_a_frame_depends_on_its_number_and_the_seed_alone(scene: Scene) -> None:
    again = Scene(width=320, height=240)
    again.frame(3)
    assert np.array_equal(scene.frame(40), again.frame(40))
    assert not np.array_equal(scene.frame(40), scene.frame(41))
    assert not np.array_equal(scene.frame(40), Scene(width=320, height=240, seed=1).frame(40))


@pytest.mark.parametrize("size", [(320, 240), (240, 320), (65, 64), (641, 359)])
def test_frames_are_bgr_of_the_size(size: tuple[int, int]) -> None:
    frame = Scene(*size, frames=2).frame(1)
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8
    assert len(Scene(*size, frames=2)) == 2


def test_the_box_is_the_target_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [i for i in range(0, len(scene), 9) if scene.visible(i) == 1]
    with_target = {i: scene.frame(i).astype(int) for i in frames}
    monkeypatch.setattr(Scene, "_put_target", lambda *_: None)
    for i in frames:
        changed = np.abs(with_target[i] - scene.frame(i)).max(axis=2) > 0
        columns, rows = np.flatnonzero(changed.any(axis=0)), np.flatnonzero(changed.any(axis=1))
        x, y, width, height = scene.box(i)
        seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert seen == pytest.approx([x, y, x + width, y + height], abs=1.2)


def test_the_target_grows_and_shrinks(scene: Scene) -> None:
    sides = [area_side(scene.box(i)) for i in range(len(scene))]
    assert max(sides) / min(sides) > 1.9


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [(320, 240), (80, 200)])
def test_the_target_stays_inside_and_moves_smoothly(seed: int, size: tuple[int, int]) -> None:
    scene = Scene(*size, frames=400, seed=seed)
    boxes = np.array([scene.box(i) for i in range(400)])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= size).all()
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.abs(np.diff(centres, axis=0)).max() < 0.03 * max(size)


@pytest.mark.parametrize("frames", [20, 120, 400])
@pytest.mark.parametrize("seed", range(4))
def test_the_mast_hides_half_of_the_target_for_a_while(frames: int, seed: int) -> None:
    scene = Scene(width=320, height=240, frames=frames, seed=seed)
    visible = [scene.visible(i) for i in range(frames)]
    assert visible[0] == 1
    assert 0.35 < min(visible) < 0.65
    assert 2 <= sum(v < 0.95 for v in visible) < frames / 2


def test_what_the_mast_hides_is_not_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    darkest = min(range(len(scene)), key=scene.visible)
    before = scene.frame(darkest).astype(int)
    monkeypatch.setattr(Scene, "_put_mast", lambda *_: None)
    x, y, width, height = (int(v) for v in scene.box(darkest))
    inside = np.abs(before - scene.frame(darkest))[y : y + height, x : x + width].max(axis=2) > 0
    assert inside.mean() > 0.25


def test_it_looks_like_a_scene_and_not_like_noise(scene: Scene) -> None:
    grey = scene.frame(0).mean(axis=2)
    neighbours = np.corrcoef(grey[:, :-1].ravel(), grey[:, 1:].ravel())[0, 1]
    assert neighbours > 0.85
    assert grey.std() > 20


def test_the_light_changes(scene: Scene) -> None:
    brightness = [scene.frame(i).mean() for i in range(0, 120, 12)]
    assert max(brightness) / min(brightness) > 1.1


@pytest.mark.parametrize("number", [-1, 120])
def test_no_frame_before_or_after_the_clip(scene: Scene, number: int) -> None:
    for ask in (scene.frame, scene.box, scene.visible):
        with pytest.raises(IndexError, match="120 frames"):
            ask(number)


@pytest.mark.parametrize("wrong", [{"width": 63}, {"height": 0}, {"frames": 0}, {"seed": -1}])
def test_a_scene_that_cannot_be_rendered_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="cannot be rendered"):
        Scene(**wrong)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_the_written_clip_reads_back_with_its_truth(tmp_path: Path, name: str) -> None:
    scene = Scene(128, 96, frames=7)
    scene.write_video(tmp_path / name, fps=12.5)
    with open_footage(tmp_path / name) as footage:
        frames = list(footage)
        assert footage.fps == pytest.approx(12.5)
        assert footage.truth is not None
        assert np.allclose(np.array(footage.truth), np.array([scene.box(i) for i in range(7)]), atol=1e-4)
    assert len(frames) == 7
    # Lossy codecs, but the same pictures.
    assert np.abs(frames[6].astype(int) - scene.frame(6)).mean() < 6


def test_a_clip_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scene, "frame", lambda *_: np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(FootageError, match="does not fit"):
        Scene(128, 96, frames=2).write_video(tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    command = [sys.executable, "-W", "error", "-m", "ostrack_edge.datasets.scene", str(clip), "--frames", "3"]
    done = subprocess.run([*command, "--width", "96", "--height", "64"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(clip) in done.stdout
    assert len(read_boxes(truth_path(clip))) == 3
    again = subprocess.run([*command, "--width", "9"], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert again.stderr.startswith("error: a scene of 9 x 480 pixels")
    assert again.stderr.count("\n") == 1
