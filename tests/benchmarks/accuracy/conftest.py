"""A data set of two rendered clips, and the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from ostrack_edge.benchmarks.cli import main
from ostrack_edge.datasets import Scene

Bench = Callable[..., tuple[int, str, str]]
CLIPS = {"one": 8, "two": 6}


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NAME/img/*.png with NAME/groundtruth.txt, for each of CLIPS. Not to be changed: copy it first."""
    folder = tmp_path_factory.mktemp("clips")
    for seed, (name, frames) in enumerate(CLIPS.items()):
        scene = Scene(128, 96, frames=frames, seed=seed)
        (folder / name / "img").mkdir(parents=True)
        for i in range(frames):
            cv2.imwrite(str(folder / name / "img" / f"{i:04d}.png"), scene.frame(i))
        lines = [",".join(f"{v:.3f}" for v in scene.box(i)) for i in range(frames)]
        (folder / name / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Runs `ostrack-bench` with arguments; gives exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ostrack-bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return (caught.value.code, *capsys.readouterr())  # type: ignore[return-value]

    return run
