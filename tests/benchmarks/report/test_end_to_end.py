"""From a bundle and footage to a page in a browser, with the commands that a user gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .runs import FRAMES, NAMES, make_footage

if TYPE_CHECKING:
    from .chromium import Chromium

pytest.importorskip("jinja2", reason="a report needs jinja2 of the extra 'report'")
pytest.importorskip("matplotlib", reason="a report needs matplotlib of the extra 'report'")


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script = "from ostrack_edge.benchmarks.cli import main; main()"
    command = [sys.executable, "-c", script, *map(str, arguments)]
    # One thread: the tests beside this one need the cores too.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_bundle_and_a_peer(tiny_bundle: Path, tmp_path: Path, browser: Chromium) -> None:
    make_footage(tmp_path / "footage")
    run, page, figures = tmp_path / "run", tmp_path / "report.html", tmp_path / "figures"
    done = bench(
        *("accuracy", tiny_bundle, "--dataset", f"folders:{tmp_path / 'footage'}", "--out", run),
        *("--peer", "mil:", "--name", "tiny", "--threads", "1"),
    )
    assert done.returncode == 0, done.stderr
    done = bench("report", run, "--out", page, "--figures", figures, "--title", "Tiny", "--pictures", "1")
    assert done.returncode == 0, done.stderr

    (part,) = json.loads((figures / "figures.json").read_text())["datasets"]
    names = [entrant["name"] for entrant in part["entrants"]]
    assert len(names) == 2
    assert [entrant["trained"] for entrant in part["entrants"]] == ["mil" in name for name in names]
    assert [row["name"] for row in part["rows"]] == sorted(NAMES)
    assert part["frames"] == len(NAMES) * FRAMES
    assert all(entrant["latency"]["frames"] == len(NAMES) * (FRAMES - 1) for entrant in part["entrants"])
    assert {"onnxruntime", "opencv"} & set(json.loads((figures / "figures.json").read_text())["runs"][0]["versions"])

    browser.open(page, 400, "dark")
    assert browser.evaluate("document.title") == "Tiny"
    assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    text = browser.evaluate("document.body.innerText")
    assert "Made-up weights:" in text
    assert all(name in text for name in (*names, *NAMES))
    assert browser.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert browser.evaluate("document.images.length") == len(part["moments"]) > 0


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    done = bench("report", tmp_path, "--out", tmp_path / "report.html")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is no run: it holds no run.json" in done.stderr
    assert not (tmp_path / "report.html").exists()


def test_real_footage_and_a_real_peer(shared: Path, tmp_path: Path, browser: Chromium) -> None:
    run, page = tmp_path / "run", tmp_path / "report.html"
    done = bench(
        *("accuracy", "--dataset", f"folders:{shared / 'sequences'}", "--peer", f"nano:{shared / 'peers'}"),
        *("--only", "Crossing", "--only", "Couple", "--frames", "10", "--out", run),
    )
    assert done.returncode == 0, done.stderr
    done = bench("report", run, "--out", page)
    assert done.returncode == 0, done.stderr
    browser.open(page, 1200, "light")
    rows = browser.evaluate("[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)")
    assert any(row.startswith("Crossing") for row in rows)
    assert "noise" not in browser.evaluate("document.body.innerText")
    assert browser.requests() == [page.as_uri()] + [u for u in browser.requests() if u.startswith("data:")]
