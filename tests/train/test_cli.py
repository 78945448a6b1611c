"""`ostrack-train` as a user meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from ostrack_edge.export import load_network, save_network, untrained_network
from ostrack_edge.runtime.errors import OSTrackEdgeError
from ostrack_edge.runtime.network import NetworkGeometry
from ostrack_edge.train.cli import app
from ostrack_edge.train.distil import Sight, Teacher
from ostrack_edge.train.plan import LOG, NETWORK, STATE, read_plan
from ostrack_edge.train.presets import PRESETS
from typer.main import get_command

SMALL = ("--preset", "edge", "--width", 64, "--depth", 2, "--head-width", 8, "--template", 32, "--search", 64)
SHORT = ("--batch", 4, "--pairs-per-epoch", 12, "--epochs", 2, "--workers", 0, "--accelerator", "cpu", "--threads", 1)
LARGE = NetworkGeometry("large", 48, 96, 2.0, 4.0, 128, 2, 2, 256, 8, (1,), (0.7,))

MAIN = "from ostrack_edge.train.cli import main\n\nmain()\n"
ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "cv2", "lightning_fabric"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def call(*arguments: object) -> None:
    get_command(app).main(args=[str(a) for a in arguments], standalone_mode=False)


def script(folder: Path, *arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    """In a process of its own, from a file that can be started again for a second device."""
    path = folder / "ostrack-train.py"
    path.write_text(before + MAIN)
    command = [sys.executable, str(path), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Packed crops: two videos, a, and b that is to be held back, and three photos."""
    root = tmp_path_factory.mktemp("crops")
    random, entries = np.random.default_rng(0), []
    for group, count in (("video_a", 4), ("video_b", 4), ("photos", 3)):
        for number in range(count):
            picture = random.integers(0, 120, (80, 80, 3), np.uint8)
            picture[30:52, 28 + number : 48 + number] = (20, 60, 250)
            name = f"{group}_{number}.png"
            assert cv2.imwrite(str(root / name), picture)
            entries.append({"file": name, "group": group, "box_xywh": [28 + number, 30, 20, 22]})
    (root / "index.json").write_text(json.dumps(entries))
    return f"packed:{root}"


@pytest.fixture(scope="module")
def finished(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "deep" / "edge"
    call("run", "--out", folder, "--data", data, "--hold-back", "b", "--validate-every", 2, *SMALL, *SHORT)
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "large.safetensors"
    save_network(path, untrained_network(LARGE))
    return path


def test_a_run_leaves_a_network_and_says_so(finished: Path, data: str, capfd: pytest.CaptureFixture[str]) -> None:
    plan = read_plan(finished)
    assert (plan.preset, plan.data, plan.hold_back.groups) == ("edge", (data,), ("b",))
    assert load_network(finished / NETWORK).geometry == plan.geometry
    assert plan.geometry.elimination_blocks == (1,)
    call("resume", finished, "--accelerator", "cpu", "--workers", 0)
    said = capfd.readouterr().err
    assert said.endswith("6 of 6 steps, finished\n")
    assert "ightning" not in said
    assert "Precision" not in said


def test_validation_at_keep_ratios(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "rows.json"
    call("validate", finished / NETWORK, "--pairs", 4, "--keep-ratio", "1,0.5", "--json", report)
    shown = capsys.readouterr().out
    assert "keep ratio" in shown
    assert "AUC" in shown
    found = json.loads(report.read_text())
    assert [row["keep_ratio"] for row in found["rows"]] == [1, 0.5]
    assert [row["kept"] for row in found["rows"]] == [[], [8]]
    assert found["held_back"]["hold_back"]["groups"] == ["b"]
    assert all(row["scores"]["pairs"] == 4 for row in found["rows"])


def test_validation_on_training_data_is_refused(finished: Path, data: str) -> None:
    with pytest.raises(OSTrackEdgeError, match="was trained on a, the figures would say nothing; give --hold-back b"):
        call("validate", finished / NETWORK, "--data", data, "--hold-back", "a")


def test_a_preview_shows_pairs(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("preview", "--data", data, "--out", tmp_path / "grid.png", "--preset", "edge", "--pairs", 5)
    assert capsys.readouterr().out == f"5 pairs: {tmp_path}/grid.png\n"
    picture = cv2.imread(str(tmp_path / "grid.png"))
    assert picture is not None
    assert picture.shape == (3 * (128 + 6), 2 * (64 + 128 + 12), 3)
    assert (picture == (0, 220, 0)).all(2).sum() > 400
    with pytest.raises(OSTrackEdgeError, match="no name of a picture"):
        call("preview", "--data", data, "--out", tmp_path / "grid.txt")


def test_presets_are_listed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    call("presets")
    assert "edge-refine" in capsys.readouterr().out
    call("presets", "edge")
    assert "optimisation.learning_rate 0.001" in capsys.readouterr().out
    call("presets", "edge", "--json")
    assert json.loads(capsys.readouterr().out)["recipe"]["losses"]["guidance"] == 0.3


def test_a_recipe_s_file_and_options_over_it(
    finished: Path, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("presets", "edge-refine", "--json")
    changed = json.loads(capsys.readouterr().out)
    changed["geometry"] = json.loads((finished / "plan.json").read_text())["geometry"]
    (tmp_path / "own.json").write_text(json.dumps(changed))
    call(
        "run", "--out", tmp_path / "run", "--data", data, "--recipe", tmp_path / "own.json",
        "--init", finished / NETWORK, "--search", 80, "--precision", "32-true", *SHORT, "--epochs", 0.3,
    )  # fmt: skip
    plan = read_plan(tmp_path / "run")
    assert (plan.preset, plan.geometry.search_size, str(plan.recipe.precision)) == ("own.json", 80, "32-true")
    assert plan.recipe.optimisation.learning_rate == PRESETS["edge-refine"].recipe.optimisation.learning_rate
    assert plan.start.path == str(finished / NETWORK)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_distillation_that_is_stopped_goes_on_as_if_it_had_not_been(
    number: signal.Signals, data: str, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--data", data, *SMALL, *SHORT, "--teacher", teacher, "--distil", "score=1,tokens=0.5")
    call("run", "--out", tmp_path / "whole", *arguments)
    plan = read_plan(tmp_path / "whole")
    assert plan.teacher is not None
    assert plan.teacher.path == str(teacher)
    assert plan.recipe.distillation.tokens == 0.5
    look, looks = Teacher.look, []

    def stop(self: Teacher, template: torch.Tensor, search: torch.Tensor) -> Sight:
        looks.append((template.shape[-1], search.shape[-1]))
        if len(looks) == 3:
            signal.raise_signal(number)
        return look(self, template, search)

    monkeypatch.setattr(Teacher, "look", stop)
    with pytest.raises(SystemExit) as stopped:
        call("run", "--out", tmp_path / "parts", *arguments)
    assert stopped.value.code == 128 + number
    assert looks == [(48, 96)] * 3
    call("resume", tmp_path / "parts", "--accelerator", "cpu", "--workers", 0, "--threads", 1)
    whole, parts = (torch.load(tmp_path / run / STATE, weights_only=True) for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 6
    for name, value in whole["module"].items():
        assert torch.equal(value, parts["module"][name]), name
    assert "distil_tokens" in (tmp_path / "parts" / LOG).read_text()
    assert not any("token_map" in name for name in load_network(tmp_path / "parts" / NETWORK).state_dict())


def test_a_teacher_that_changed_is_refused(data: str, tmp_path: Path) -> None:
    save_network(tmp_path / "t.safetensors", untrained_network(LARGE))
    run = tmp_path / "run"
    call("run", "--out", run, "--data", data, *SMALL, *SHORT, "--epochs", 0.3, "--teacher", tmp_path / "t.safetensors")
    save_network(tmp_path / "t.safetensors", untrained_network(LARGE, 1))
    with pytest.raises(OSTrackEdgeError, match=r"t.safetensors has changed since the run was planned"):
        call("resume", run, "--accelerator", "cpu")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "packed:/nowhere"), "/nowhere is no folder"),
        (("--data", "nothing:/nowhere"), "'nothing' in nothing:/nowhere"),
        (("--hold-back", "c"), "there is no sequence c to hold back"),
        (("--hold-back", "photos=2"), "from 0 to below 1"),
        (("--init", "DAMAGED"), "is no checkpoint: it is text"),
        (("--teacher", "DAMAGED"), "is no checkpoint: it is text"),
        (("--teacher", "TEACHER", "--search-factor", 5), "train with --search-factor 4"),
        (("--distil", "score=1"), "give one with --teacher"),
        (("--batch", 5, "--devices", 2), "5 pairs does not divide among 2 devices"),
        (("--precision", "16-mixed", "--optimizer", "adamw"), "16-mixed needs a GPU; choose bf16-mixed or 32-true"),
        (("--accelerator", "tpu"), "--accelerator is 'tpu'; choose auto, cpu, cuda"),
        (("--preset", "edge-refine"), "edge-refine starts from a pretrained network; give its file with --init"),
        (("--learning-rate", "nan"), "learning_rate is nan"),
        (("--template-tokens", "centre-4x4"), "is every token"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(
    arguments: tuple[object, ...], said: str, data: str, teacher: Path, tmp_path: Path
) -> None:
    (tmp_path / "damaged").write_text("a page that says: not found")
    places = {"DAMAGED": tmp_path / "damaged", "TEACHER": teacher}
    given = [places.get(str(a), a) for a in arguments]
    size = SMALL if "--init" not in given else SMALL[:2]
    with pytest.raises(OSTrackEdgeError, match=said):
        call("run", "--out", tmp_path / "a" / "run", "--data", data, *size, *SHORT, *given)
    assert not (tmp_path / "a").exists()


def test_a_missing_picture_is_found_before_the_folder_is_made(tmp_path: Path) -> None:
    entries = [{"file": f"{n}.png", "group": "video_a", "box_xywh": [1, 1, 9, 9]} for n in range(3)]
    (tmp_path / "index.json").write_text(json.dumps(entries))
    with pytest.raises(OSTrackEdgeError, match=r"\d\.png"):
        call("run", "--out", tmp_path / "run", "--data", f"packed:{tmp_path}", *SMALL, *SHORT)
    assert not (tmp_path / "run").exists()


def test_two_devices_train_together_and_are_refused_together(data: str, tmp_path: Path) -> None:
    arguments = ("run", "--out", tmp_path / "run", "--data", data, *SMALL, *SHORT, "--devices", 2)
    first = script(tmp_path, *arguments)
    assert first.returncode == 0, first.stderr
    assert first.stderr.endswith("steps, finished\n")
    assert "ightning" not in first.stderr
    again = script(tmp_path, *arguments)
    assert again.returncode == 1
    assert (
        again.stderr
        == f"error: {tmp_path}/run holds a run already; go on with it: ostrack-train resume {tmp_path}/run\n"
    )


def test_without_torch_the_help_is_there_and_the_rest_says_what_is_missing(tmp_path: Path) -> None:
    helped = script(tmp_path, "run", "--help", before=ABSENT)
    assert helped.returncode == 0, helped.stderr
    assert "--teacher" in helped.stdout
    done = script(tmp_path, "run", "--out", tmp_path / "x", "--data", "packed:x", "--preset", "edge", before=ABSENT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'ostrack-edge[train]'" in done.stderr
    assert done.stderr.count("\n") == 1
