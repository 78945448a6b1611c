"""What ends up in the wheel and in the source distribution."""

import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import ostrack_edge
import pytest

INFO = f"ostrack_edge-{ostrack_edge.__version__}.dist-info"


def built(what: str, source: Path, folder: Path) -> Path:
    """The wheel or the source distribution, in `folder`."""
    if importlib.util.find_spec("build") is None:
        pytest.skip("building distributions needs the package 'build' of the dev extra")
    command = [sys.executable, "-m", "build", what, "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(source_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    path = built("--wheel", source_copy, folder)
    assert path.name.endswith("-py3-none-any.whl")
    return zipfile.ZipFile(path)


def test_every_module_of_every_room_is_in_it(wheel: zipfile.ZipFile, source_copy: Path) -> None:
    modules = {path.relative_to(source_copy) for path in source_copy.rglob("*.py")}
    rooms = {path for path in modules if path.parts[0] not in ("tests", "build")}
    assert {Path("runtime/tracker.py"), Path("service/cli.py"), Path("__init__.py")} < rooms
    held = {Path(name).relative_to("ostrack_edge") for name in wheel.namelist() if name.endswith(".py")}
    assert held == rooms


def test_nothing_else_is_in_it(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names} == {"ostrack_edge", INFO}
    assert not [name for name in names if "tests" in name.split("/") or name.split("/")[-1].startswith("test_")]
    assert "ostrack_edge/py.typed" in names
    page = "ostrack_edge/benchmarks/report_html"
    assert {f"{page}/report.html.j2", f"{page}/style.css"} < set(names)


def test_its_licences(wheel: zipfile.ZipFile) -> None:
    said = wheel.read(f"{INFO}/METADATA").decode().splitlines()
    assert [line for line in said if line.startswith("License")] == [
        "License-Expression: MIT AND LicenseRef-ostrack-edge-weights",
        "License-File: LICENSE",
        "License-File: models/LICENSE",
    ]
    assert b"MIT License" in wheel.read(f"{INFO}/licenses/LICENSE")
    assert b"terms of its weights" in wheel.read(f"{INFO}/licenses/models/LICENSE")


def test_the_default_model_is_in_it(wheel: zipfile.ZipFile, source_copy: Path) -> None:
    files = {path.relative_to(source_copy) for path in (source_copy / "models").rglob("*") if path.is_file()}
    held = {
        Path(name).relative_to("ostrack_edge") for name in wheel.namelist() if name.startswith("ostrack_edge/models/")
    }
    assert held == {path for path in files if "__pycache__" not in path.parts}
    kinds = {path.suffix for path in held}
    assert kinds >= {".safetensors", ".json", ".onnx", ".npz", ".md"}


def test_the_default_model_is_in_the_source_distribution(source_copy: Path, tmp_path: Path) -> None:
    with tarfile.open(built("--sdist", source_copy, tmp_path)) as archive:
        held = {Path(*Path(name).parts[1:]) for name in archive.getnames()}
    assert {p.relative_to(source_copy) for p in (source_copy / "models").rglob("*.*") if p.suffix != ".pyc"} <= held


def test_its_commands(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"{INFO}/entry_points.txt").decode()
    commands = [line.split(" = ")[0] for line in text.splitlines() if " = " in line]
    assert commands == ["ostrack-bench", "ostrack-export", "ostrack-track", "ostrack-train"]


def test_what_it_asks_for(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"{INFO}/METADATA").decode()
    assert "Requires-Python: >=3.10" in text
    always = [line for line in text.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert not [line for line in always if "torch" in line or "onnx" in line or "opencv" in line]
