"""Run folders made by hand, with results whose figures are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from ostrack_edge.benchmarks.accuracy.record import (
    SCHEMA,
    DatasetRecord,
    EntrantKind,
    EntrantRecord,
    RunRecord,
    SequenceRecord,
    read_record,
    write_record,
)
from ostrack_edge.benchmarks.accuracy.starts import StartPlan
from ostrack_edge.benchmarks.accuracy.store import Trajectory, Truth, result_path, write_trajectory, write_truth
from ostrack_edge.benchmarks.machine import read_machine
from ostrack_edge.benchmarks.metrics import Protocol
from ostrack_edge.datasets.scene import Scene

FRAMES = 12
NAMES = ("bay", "pier", "quay")
SIZE = (160, 120)
MS = 4.0


def make_footage(folder: Path) -> None:
    """Sequences `img/` + `groundtruth.txt`, FRAMES frames each."""
    for seed, name in enumerate(NAMES):
        scene = Scene(*SIZE, frames=FRAMES, seed=seed)
        (folder / name / "img").mkdir(parents=True)
        for i in range(FRAMES):
            assert cv2.imwrite(str(folder / name / "img" / f"{i + 1:04d}.png"), scene.frame(i))
        lines = [",".join(f"{value:.4f}" for value in scene.box(i)) for i in range(FRAMES)]
        (folder / name / "groundtruth.txt").write_text("\n".join(lines) + "\n")


def entrant(name: str, kind: EntrantKind = EntrantKind.BUNDLE, trained: bool = True) -> EntrantRecord:
    return EntrantRecord(name, kind, "onnxruntime", "fp32", trained, {"weights": f"of {name}"})


def make_run(folder: Path, footage: Path, *entrants: EntrantRecord) -> Path:
    """A run folder with the truth of every sequence and no results."""
    sequences = tuple(SequenceRecord(name, None, FRAMES) for name in NAMES)
    dataset = DatasetRecord("folders", f"folders:{footage}", Protocol.OTB, None, sequences)
    folder.mkdir()
    write_record(
        folder,
        RunRecord(
            SCHEMA,
            "2026-01-02T03:04:05",
            "0.1.0",
            (f"ostrack-bench accuracy --out {folder}",),
            dataset,
            StartPlan(),
            jobs=1,
            threads=2,
            machine=read_machine(),
            entrants=entrants,
        ),
    )
    for name in NAMES:
        boxes = truth_of(footage, name)
        write_truth(folder, name, Truth(boxes, np.zeros(FRAMES, bool), np.zeros(FRAMES, np.int8)))
    return folder


def truth_of(footage: Path, name: str) -> np.ndarray:
    return np.loadtxt(footage / name / "groundtruth.txt", delimiter=",")


def add_result(run: Path, footage: Path, entrant: str, sequence: str, shift: float, lost: range = range(0)) -> None:
    """Boxes moved to the right by a `shift` of their width, whose IoU is (1 - shift) / (1 + shift); out of the frame
    where they are lost. The first is the truth. Every update takes MS milliseconds, the longest five times as long."""
    boxes = truth_of(footage, sequence)
    boxes[1:, 0] += shift * boxes[1:, 2]
    boxes[list(lost), 0] += 10_000
    seconds = np.full(FRAMES, MS / 1e3)
    seconds[1] *= 5
    scores = np.full(FRAMES, 0.5)
    scores[0] = np.nan
    trajectory = Trajectory(0, False, SIZE, boxes, scores, seconds, {"backend": "onnxruntime"})
    write_trajectory(result_path(run, entrant, sequence, ""), trajectory)


def rename_dataset(run: Path, spec: str) -> None:
    record = read_record(run)
    write_record(run, replace(record, dataset=replace(record.dataset, spec=spec)))
