"""The report's files: whole or not there, and the same figures in each."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from ostrack_edge.benchmarks.report_html.content import Content
from ostrack_edge.benchmarks.report_html.write import as_figures, write_content, write_report
from ostrack_edge.runtime.errors import OutputError

pytest.importorskip("jinja2", reason="a report needs jinja2 of the extra 'report'")
pytest.importorskip("matplotlib", reason="a report needs matplotlib of the extra 'report'")


def test_one_file_names_everything(content: Content, tmp_path: Path) -> None:
    write_content(content, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for said in (
        "Made-up weights:",
        "folders: &lt;streets&gt;",
        "&lt;b&gt;peer&lt;/b&gt; &amp; co",
        "12,345 frames",
        "The figures are taken over the 2 that every entrant finished.",
        "One sequence was left out.",
        "+0.020 to +0.150",
        "−0.010",
        "no difference",
        "One process, 2 threads.",
        "ostrack-bench accuracy bundle --dataset folders:/data/",
        "A processor, 2 cores",
        "onnxruntime 1.2",
    ):
        assert said in text, said
    assert "<script" not in text


def test_every_table_of_noise_says_so(content: Content, tmp_path: Path) -> None:
    write_content(content, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    tables = re.findall(r"<table>.*?</table>", text, re.DOTALL)
    naming = [table for table in tables if "bundle fp32" in table]
    assert len(naming) == 4, "accuracy, differences, speed and sequences"
    assert all('bundle fp32<span class="noise">untrained: noise</span>' in table for table in naming)
    plots = [label for label in re.findall(r'aria-label="([^"]*)"', text) if "bundle fp32 (untrained: noise)" in label]
    assert [label.split(".")[0].split(":")[0] for label in plots] == ["Success", "Precision", "Accuracy against speed"]
    (part,) = content.datasets
    trained = replace(part, entrants=tuple(replace(entrant, trained=True) for entrant in part.entrants))
    write_content(replace(content, datasets=(trained,)), tmp_path / "trained.html")
    assert "noise" not in re.sub(r"<style>.*?</style>", "", (tmp_path / "trained.html").read_text(), flags=re.DOTALL)


def test_figures_beside(content: Content, tmp_path: Path) -> None:
    write_content(content, tmp_path / "report.html", tmp_path / "figures")
    plots = ("latency", "precision", "success", "trade")
    names = [f"folders-streets-{plot}.png" for plot in plots]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["figures.json", *names]
    for name in names:
        picture = cv2.imread(str(tmp_path / "figures" / name))
        assert picture is not None
        np.testing.assert_array_equal(picture[0, 0], (255, 255, 255))
        assert (picture.std(axis=(0, 1)) > 5).all()
    said = json.loads((tmp_path / "figures" / "figures.json").read_text())
    assert said == json.loads(json.dumps(as_figures(content)))
    (part,) = said["datasets"]
    assert part["entrants"][0]["figures"]["success_auc"] == 0.71
    assert part["entrants"][0]["trained"] is False
    assert part["moments"][0] == {
        "title": "bundle fp32 at its worst (IoU 0.41)",
        "sequence": "street",
        "frame": 17,
        "overlaps": {"bundle fp32": 0.41, "<b>peer</b> & co": 0.0},
        "width": 480,
        "height": part["moments"][0]["height"],
    }


def test_the_same_report_twice_is_the_same_file(content: Content, tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        write_content(content, tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_what_was_not_measured_is_left_out(content: Content, tmp_path: Path) -> None:
    (part,) = content.datasets
    bare = tuple(replace(e, figures={}, curves={}, latency=None) for e in part.entrants)
    write_content(
        replace(content, datasets=(replace(part, entrants=bare, differences=(), moments=()),), speed=()),
        tmp_path / "report.html",
    )
    text = (tmp_path / "report.html").read_text()
    assert "<svg" not in text
    assert "The results hold no times." in text
    assert "Best and worst moments" not in text
    assert "Speed, measured alone" not in text


def test_data_sets_of_one_name_keep_their_plots_apart(content: Content, tmp_path: Path) -> None:
    (part,) = content.datasets
    parts = (part, replace(part, name="folders streets"), replace(part, name="???"))
    write_content(replace(content, datasets=parts), tmp_path / "report.html", tmp_path / "figures")
    assert len(list((tmp_path / "figures").glob("*-success.png"))) == 3
    names = re.findall(r'\bid="([^"]+)"', (tmp_path / "report.html").read_text())
    assert len(names) == len(set(names))


def test_places_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        write_report([tmp_path / "no-run"], tmp_path / "absent" / "report.html")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file is a file; give a folder for the figures"):
        write_report([tmp_path / "no-run"], tmp_path / "report.html", figures=tmp_path / "file")
    with pytest.raises(OutputError, match="there is no folder"):
        write_report([tmp_path / "no-run"], tmp_path / "report.html", figures=tmp_path / "absent" / "figures")


def test_a_full_disk_leaves_the_old_files(content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_content(content, tmp_path / "report.html", tmp_path / "figures")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if "success" in self.name:
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device; free some space there"):
        write_content(replace(content, title="Another"), tmp_path / "report.html", tmp_path / "figures")
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("package", "purpose"), [("matplotlib", "plots"), ("jinja2", "page")])
def test_a_missing_package_is_named(without: Callable[..., dict[str, str]], package: str, purpose: str) -> None:
    script = (
        "from pathlib import Path\n"
        "from ostrack_edge.benchmarks.report_html.content import Content\n"
        "from ostrack_edge.benchmarks.report_html import write\n"
        "write.write_content(Content('', '', '', (), (), ()), Path('never.html'))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=without(package), capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert f"a report's {purpose} needs the package '{package}'" in last
    assert "pip install 'ostrack-edge[report]'" in last
