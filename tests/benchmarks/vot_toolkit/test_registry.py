import configparser
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.vot_toolkit import TrackerEntry, register
from ostrack_edge.models import default_bundle
from ostrack_edge.runtime.errors import BenchmarkError, OutputError

ENTRY = TrackerEntry("edge-256", "Edge 100%", ("/a b/python", "-m", "x", "/bundles/50%"))


def read(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(path.read_text())
    return parser


def test_a_tracker_is_added_once_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "trackers.ini"
    path.write_text("# mine\n[other]\ncommand = x")
    assert register(tmp_path, ENTRY)
    assert not register(tmp_path, ENTRY)
    assert path.read_text().startswith("# mine\n[other]\ncommand = x\n\n[edge-256]\n")
    section = read(path)["edge-256"]
    assert section["label"] == "Edge 100%"
    assert section["protocol"] == "trax"
    assert tuple(shlex.split(section["command"])) == ENTRY.command


def test_an_empty_workspace_gets_its_list(tmp_path: Path) -> None:
    assert register(tmp_path, ENTRY)
    assert (tmp_path / "trackers.ini").read_text() == ENTRY.text


def test_what_cannot_be_added(tmp_path: Path) -> None:
    register(tmp_path, ENTRY)
    before = (tmp_path / "trackers.ini").read_text()
    with pytest.raises(BenchmarkError, match="has another tracker edge-256"):
        register(tmp_path, TrackerEntry("edge-256", "another", ("x",)))
    with pytest.raises(BenchmarkError, match=r"'edge\.256' is no name for the VOT toolkit"):
        register(tmp_path, TrackerEntry("edge.256", "another", ("x",)))
    assert (tmp_path / "trackers.ini").read_text() == before
    with pytest.raises(OutputError, match="there is no folder"):
        register(tmp_path / "none", ENTRY)
    (tmp_path / "trackers.ini").write_text("no section = 1\n")
    with pytest.raises(BenchmarkError, match=r"trackers\.ini is no list of trackers"):
        register(tmp_path, ENTRY)


def test_the_command_that_registers(tiny_bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ostrack_edge.benchmarks.vot_toolkit", "register", str(tiny_bundle)]
    command += ["--workspace", str(tmp_path), "--name", "tiny", "--precision", "fp32", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"vot evaluate --workspace {tmp_path} tiny" in done.stdout
    started = shlex.split(read(tmp_path / "trackers.ini")["tiny"]["command"])
    assert started[:4] == [sys.executable, "-m", "ostrack_edge.benchmarks.vot_toolkit", "track"]
    assert started[4:] == [str(tiny_bundle.resolve()), "--backend", "auto", *command[-4:]]


def test_without_a_bundle_the_default_model_is_registered(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ostrack_edge.benchmarks.vot_toolkit", "register", "--workspace", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:41]) == (0, "no bundle given: the default model edge, ")
    assert str(default_bundle().resolve()) in read(tmp_path / "trackers.ini")["edge"]["command"]


def test_what_is_no_bundle_is_not_registered(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ostrack_edge.benchmarks.vot_toolkit", "register", str(tmp_path)]
    done = subprocess.run([*command, "--workspace", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert list(tmp_path.iterdir()) == []
