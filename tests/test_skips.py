"""What `conftest.py` sees to, tried on tests of its own: that nothing is skipped where everything has been installed
first, and that a checkout may have any name."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

def test_passes(): pass

def test_library(): pytest.skip("needs the package of the day")

def test_footage(): pytest.skip("needs the footage in ../shared, beside the repository")

def test_hardware(): pytest.skip("needs a GPU")

@pytest.mark.xfail(reason="known", strict=True)
def test_known(): assert False

@pytest.mark.slow
def test_slow(): pass
"""


MODULE = """
import pytest

pytest.skip("needs another package", allow_module_level=True)
"""


def outcomes(folder: Path, tests: str, **environment: str) -> str:
    (folder / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (folder / "test_it.py").write_text(tests)
    unset = ("CI", "OSTRACK_EDGE_NO_SKIP", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers", "test_it.py"]
    done = subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False)
    return done.stdout


def test_elsewhere_a_skip_is_a_skip(tmp_path: Path) -> None:
    assert "1 passed, 4 skipped, 1 xfailed" in outcomes(tmp_path, TESTS)
    assert "1 skipped" in outcomes(tmp_path, MODULE)


def test_what_can_be_installed_may_not_be_skipped(tmp_path: Path) -> None:
    said = outcomes(tmp_path, TESTS, OSTRACK_EDGE_NO_SKIP="1")
    assert "1 failed, 2 passed, 2 skipped, 1 xfailed" in said
    assert "nothing may be skipped here, and this was: Skipped: needs the package of the day" in said
    assert "this was: Skipped: needs another package" in outcomes(tmp_path, MODULE, OSTRACK_EDGE_NO_SKIP="1")


def test_slow_tests_run_where_everything_is_checked(tmp_path: Path) -> None:
    assert "2 passed, 3 skipped, 1 xfailed" in outcomes(tmp_path, TESTS, CI="true")


def test_a_checkout_may_have_any_name(tmp_path: Path) -> None:
    tests = tmp_path / "ostrack-edge 2" / "tests"
    tests.mkdir(parents=True)
    (tests.parent / "__init__.py").write_text("from .no_such_module import nothing\n")
    (tests.parent / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n')
    assert "1 passed, 4 skipped, 1 xfailed" in outcomes(tests, TESTS)
