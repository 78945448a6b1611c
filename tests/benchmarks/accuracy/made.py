"""Runs written by hand, with results whose figures are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ostrack_edge.benchmarks.accuracy.record import (
    SCHEMA,
    DatasetRecord,
    EntrantKind,
    EntrantRecord,
    RunRecord,
    SequenceRecord,
    write_record,
)
from ostrack_edge.benchmarks.accuracy.starts import StartPlan
from ostrack_edge.benchmarks.accuracy.store import Trajectory, Truth, result_path, write_trajectory, write_truth
from ostrack_edge.benchmarks.machine import Machine
from ostrack_edge.benchmarks.metrics import Protocol

MACHINE = Machine("a processor", None, 2, 2, 1 << 30, "a system", "3.10.0", {"numpy": "2"}, None)


def moving_truth(frames: int = 10) -> np.ndarray:
    """float64 [frames, 4]: a box of 20 x 20 pixels that moves a pixel right every frame."""
    return np.array([[10.0 + i, 20.0, 20.0, 20.0] for i in range(frames)])


def entrant_record(name: str, *, trained: bool = True, weights: str = "w") -> EntrantRecord:
    return EntrantRecord(name, EntrantKind.BUNDLE, "onnxruntime", "fp32", trained, {"weights": weights})


def write_run(
    folder: Path,
    entrants: Sequence[EntrantRecord],
    shifts: dict[tuple[str, str], float],
    *,
    sequences: Sequence[str] = ("one", "two", "three"),
    starts: StartPlan | None = None,
    protocol: str = "otb",
    frames: int = 10,
    dataset: str = "folders",
    most_frames: int | None = None,
) -> Path:
    """A run by hand: what the (entrant, sequence) of `shifts` gave is the truth, shifted right by so many pixels from
    the second frame on."""
    folder.mkdir(parents=True)
    records = tuple(SequenceRecord(name, None, frames) for name in sequences)
    truth = Truth(moving_truth(frames), np.zeros(frames, bool), np.zeros(frames, np.int8))
    for name in sequences:
        write_truth(folder, name, truth)
    for (entrant, sequence), shift in shifts.items():
        boxes = truth.boxes.copy()
        boxes[1:, 0] += shift
        write_trajectory(
            result_path(folder, entrant, sequence, ""),
            Trajectory(0, False, (100, 80), boxes, np.full(frames, 0.5), np.full(frames, 0.01), {"device": "none"}),
        )
    write_record(
        folder,
        RunRecord(
            schema=SCHEMA,
            created="2026-01-01T00:00:00+00:00",
            version="0.1.0",
            commands=("ostrack-bench accuracy",),
            dataset=DatasetRecord(dataset, f"{dataset}:/data", Protocol(protocol), most_frames, records),
            starts=starts or StartPlan(),
            jobs=1,
            threads=1,
            machine=MACHINE,
            entrants=tuple(entrants),
        ),
    )
    return folder
