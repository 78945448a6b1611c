"""What every room's tests share, and which skips are allowed where nothing may be skipped."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from ostrack_edge.runtime.network import NetworkGeometry

ROOT = Path(__file__).parents[1]
SHARED = ROOT / ".." / "shared"

NO_SKIP = os.environ.get("OSTRACK_EDGE_NO_SKIP") == "1"
"""Set where everything that a test may want has been installed first."""

TINY = NetworkGeometry(
    variant="tiny",
    template_size=64,
    search_size=128,
    template_factor=2.0,
    search_factor=4.0,
    width=64,
    depth=4,
    heads=1,
    mlp_width=128,
    head_width=16,
    elimination_blocks=(1, 2),
    keep_ratios=(0.7, 0.7),
)

_ALLOWED = re.compile(r"\.\./shared|\bGPU\b|\bJetson\b|\bcamera device\b")
"""What a skip may name even then: footage that is not part of the project, and hardware."""


class _RootIsNoTest:
    """Keeps pytest from importing the package's own `__init__.py` as one of the tests', by the name of the folder that
    the checkout lies in: with a dash in that name every test would fail."""

    @staticmethod
    def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config: pytest.Config) -> None:
    # Registered, as the hooks of a conftest.py are not asked about the folders above it.
    config.pluginmanager.register(_RootIsNoTest(), "root-is-no-test")
    config.addinivalue_line("markers", "slow: installs packages; runs with CI=true or OSTRACK_EDGE_NO_SKIP=1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if NO_SKIP or os.environ.get("CI") == "true":
        return
    skip = pytest.mark.skip(reason="slow: installs packages; run it with CI=true")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure, except one for what no installation brings."""
    if not (NO_SKIP and report.skipped) or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if not _ALLOWED.search(reason):
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped here, and this was: {reason}"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of footage beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("needs the footage in ../shared, beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def tiny_geometry() -> NetworkGeometry:
    """A network that is built and run in a moment, with two stages of elimination."""
    return TINY


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of it with made-up weights, as `ostrack-export build` makes one."""
    pytest.importorskip("torch", reason="building a bundle needs PyTorch")
    from ostrack_edge.export import build_bundle, untrained_network

    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    build_bundle(untrained_network(TINY), folder, source="made-up weights", trained=False)
    return folder


@pytest.fixture(scope="session")
def source_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's sources, for builds that write beside what they build."""
    folder = tmp_path_factory.mktemp("source") / "ostrack-edge"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "demo", "bundles")
    return Path(shutil.copytree(ROOT, folder, ignore=ignored))
