"""The results of the last frames, kept in bounded memory for who wants them as a file."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np

from ..runtime.errors import InputError
from ..runtime.geometry import Box
from .targets.state import TargetState
from .views import FrameResult, TargetResult

CSV_HEADER = "frame,wall,target,name,state,score,x,y,width,height\n"

_STATES = tuple(TargetState)
_ROW = np.dtype(
    [("frame", "i8"), ("wall", "f8"), ("target", "i4"), ("state", "i1"), ("score", "f4"), ("box", "f4", (4,))]
)


class ResultFormat(str, Enum):
    """`csv`: one line per frame and target. `jsonl`: one JSON object per frame and target. `boxes`: one target's line
    `x,y,w,h` per frame, as benchmarks write results, four `nan` where it was lost."""

    CSV = "csv"
    JSONL = "jsonl"
    BOXES = "boxes"

    def __str__(self) -> str:
        return self.value


def csv_line(frame: int, wall: float, target: TargetResult) -> str:
    """One line below `CSV_HEADER`; what there is none of stays empty."""
    name = f'"{target.name.replace(chr(34), chr(34) * 2)}"'
    score = "" if target.score is None else f"{target.score:.4f}"
    box = ",".join(f"{v:.2f}" for v in target.box) if target.box else ",,,"
    return f"{frame},{wall:.3f},{target.id},{name},{target.state},{score},{box}\n"


def box_line(box: Box | None) -> str:
    return ",".join(f"{v:.4f}" for v in box or (math.nan,) * 4) + "\n"


def target_json(target: TargetResult) -> dict[str, Any]:
    """One target as JSON takes it: id, name, state, score, box (x, y, width, height or null)."""
    return {
        "id": target.id,
        "name": target.name,
        "state": str(target.state),
        "score": None if target.score is None else round(target.score, 4),
        "box": None if target.box is None else [round(v, 2) for v in target.box],
    }


class ResultLog:
    """The last `rows` rows, one per frame and target; 60 bytes each. Any thread may export."""

    def __init__(self, rows: int) -> None:
        self._rows = np.zeros(max(1, rows), _ROW)
        self._count = 0
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    def add(self, result: FrameResult) -> None:
        with self._lock:
            for target in result.targets:
                box = target.box or (math.nan,) * 4
                score = math.nan if target.score is None else target.score
                state = _STATES.index(target.state)
                self._rows[self._count % len(self._rows)] = (
                    result.number,
                    result.wall,
                    target.id,
                    state,
                    score,
                    tuple(box),
                )
                self._count += 1
                self._names[target.id] = target.name

    def export(self, kind: ResultFormat, target: int | None = None) -> Iterator[str]:
        """See `Session.export`."""
        kind = ResultFormat(kind)
        with self._lock:
            start = self._count % len(self._rows) if self._count > len(self._rows) else 0
            rows = np.roll(self._rows[: min(self._count, len(self._rows))], -start)
            names = dict(self._names)
        if target is not None:
            if target not in names:
                raise InputError(f"there are no results of a target {target}")
            rows = rows[rows["target"] == target]
        elif kind is ResultFormat.BOXES:
            raise InputError("the benchmark format holds one target; say which")
        return _text(kind, rows, names)


def _text(kind: ResultFormat, rows: np.ndarray, names: dict[int, str]) -> Iterator[str]:
    if kind is ResultFormat.CSV:
        yield CSV_HEADER
    for row in rows:
        target = _result(row, names)
        if kind is ResultFormat.CSV:
            yield csv_line(int(row["frame"]), float(row["wall"]), target)
        elif kind is ResultFormat.BOXES:
            yield box_line(target.box)
        else:
            yield json.dumps({"frame": int(row["frame"]), "wall": round(float(row["wall"]), 3), **target_json(target)})
            yield "\n"


def _result(row: np.void, names: dict[int, str]) -> TargetResult:
    number, state, score = int(row["target"]), _STATES[int(row["state"])], float(row["score"])
    box = None if math.isnan(row["box"][0]) else Box(*map(float, row["box"]))
    return TargetResult(number, names[number], state, box, None if math.isnan(score) else score)
