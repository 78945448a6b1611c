"""What importing loads, and which names are promised."""

import os
import subprocess
import sys
import venv
from importlib import import_module
from pathlib import Path

import ostrack_edge
import pytest
from ostrack_edge.datasets import Scene

PUBLIC = ["Box", "ColorOrder", "NetworkGeometry", "OSTrackEdgeError", "TemplateTokens", "TrackResult", "Tracker"]

HEAVY = ("torch", "onnx", "onnxscript")

BLOCKED = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""

TRACK = """
import sys
import ostrack_edge.runtime
from ostrack_edge import Tracker
from ostrack_edge.datasets import Scene

scene = Scene(160, 120)
tracker = Tracker.load(sys.argv[1], threads=1)
tracker.init(scene.frame(0), scene.box(0))
print(len(tracker.update(scene.frame(1)).box))
"""


def python(code: str, *args: object, interpreter: str | Path = sys.executable) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(interpreter), "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def loaded(code: str, *args: object) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after `code`."""
    done = python(f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})", *args)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_promised_names() -> None:
    assert sorted(ostrack_edge.__all__) == PUBLIC


@pytest.mark.parametrize("room", ["", ".runtime", ".runtime.backends", ".models", ".datasets", ".export", ".train"])
def test_every_promised_name_is_there(room: str) -> None:
    if room == ".export":
        pytest.importorskip("torch", reason="the export room needs PyTorch")
    module = import_module(f"ostrack_edge{room}")
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


@pytest.mark.parametrize(
    "module",
    [
        "ostrack_edge",
        "ostrack_edge.runtime",
        "ostrack_edge.runtime.manifest",
        "ostrack_edge.models",
        "ostrack_edge.export.cli",
        "ostrack_edge.service.cli",
        "ostrack_edge.train.cli",
    ],
)
def test_the_light_modules_do_without_opencv(module: str) -> None:
    found = loaded(f"import {module}")
    assert "ostrack_edge" in found
    assert not found & {*HEAVY, "cv2", "onnxruntime"}


def test_a_tracker_loads_neither_torch_nor_onnx(tiny_bundle: Path) -> None:
    found = loaded(TRACK, tiny_bundle)
    assert "onnxruntime" in found
    assert not found & set(HEAVY)


def test_a_tracker_runs_where_neither_is_installed(tiny_bundle: Path) -> None:
    done = python(BLOCKED + TRACK, tiny_bundle)
    assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stderr


def test_the_track_command_helps_where_neither_is_installed() -> None:
    done = python(BLOCKED + "from ostrack_edge.service.cli import main\nmain()", "run", "--help")
    assert done.returncode == 0, done.stderr
    assert "--init" in done.stdout


def test_a_missing_opencv_is_one_sentence(tmp_path: Path) -> None:
    blocked = BLOCKED.replace(str(HEAVY), "('cv2',)")
    code = blocked + "from ostrack_edge.service.cli import main\nmain()"
    done = python(code, "run", tmp_path / "clip.mp4", "--bundle", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "pip install 'ostrack-edge[cpu]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_device_installation(source_copy: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """A real environment with the [cpu] extra alone, as a device has it."""
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    pip = [binaries / "python", "-m", "pip", "install", "-q", "-c", source_copy / "constraints.txt"]
    subprocess.run([*map(str, pip), f"{source_copy}[cpu]"], check=True)
    for name in HEAVY:
        assert python(f"import {name}", interpreter=binaries / "python").returncode == 1
    done = python(TRACK, tiny_bundle, interpreter=binaries / "python")
    assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stderr
    Scene(160, 120, frames=3).write_video(tmp_path / "clip.mp4")
    command = [binaries / "ostrack-track", "run", tmp_path / "clip.mp4"]
    for bundle in ((), ("--bundle", tiny_bundle)):
        tracked = subprocess.run([*map(str, (*command, *bundle))], capture_output=True, text=True, check=False)
        assert tracked.returncode == 0, tracked.stderr
        assert tracked.stdout.startswith("tracked 3 frames")
        assert ("the default model edge" in tracked.stderr) is not bool(bundle)
