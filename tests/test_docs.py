"""What the documentation shows is run, and what the README links to is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ostrack_edge import NetworkGeometry, TemplateTokens, Tracker
from ostrack_edge.datasets.footage import open_footage
from ostrack_edge.datasets.scene import Scene
from ostrack_edge.export import build_bundle, untrained_network

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("tokens", "color"), [("centre", "bgr"), ("box", "rgb")])
def test_the_worked_example_gives_the_tracker_s_boxes(tmp_path: Path, tokens: str, color: str) -> None:
    page = (ROOT / "docs" / "tensor-contract.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(example) == 1
    script = tmp_path / "example.py"
    script.write_text(example[0], encoding="utf-8")

    tiny = NetworkGeometry("tiny", 64, 128, 2.0, 4.0, 64, 4, 1, 128, 16, (1, 2), (0.7, 0.7), TemplateTokens(tokens))
    build_bundle(untrained_network(tiny), tmp_path / "bundle", color=color, trained=False)
    scene = Scene(width=320, height=240, frames=10)
    scene.write_video(tmp_path / "clip.avi")
    start = ",".join(f"{v:.2f}" for v in scene.box(0))
    command = [sys.executable, str(script), str(tmp_path / "bundle"), str(tmp_path / "clip.avi"), start]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    printed = np.array([[float(v) for v in line.split()] for line in run.stdout.splitlines()])

    tracker = Tracker.load(tmp_path / "bundle")
    expected = []
    with open_footage(tmp_path / "clip.avi") as footage:
        for number, frame in enumerate(footage):
            if number == 0:
                tracker.init(frame, [float(v) for v in start.split(",")])
                continue
            result = tracker.update(frame)
            expected.append([*result.box, result.score])
    assert len(expected) == 9
    np.testing.assert_allclose(printed, expected, atol=2e-4)


@pytest.mark.parametrize(
    "page", [Path("README.md"), *(p.relative_to(ROOT) for p in sorted((ROOT / "docs").glob("*.md")))], ids=str
)
def test_links_lead_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in link:
            assert (ROOT / page.parent / link).exists(), link
    assert not re.search(r"@[A-Z_]+@", text)
