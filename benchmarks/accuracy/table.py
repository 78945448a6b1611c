"""The accuracies as tables for people, and as plain values for a JSON file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ...runtime.manifest import to_json
from ..metrics import FIGURES, Protocol, main_figure
from .merge import Runs
from .record import EntrantKind, EntrantRecord
from .scores import EntrantScores

_COLUMNS = {
    "success_auc": "success\nAUC",
    "op50": "OP50",
    "op75": "OP75",
    "precision_20px": "prec.\n20 px",
    "norm_precision_at_0.2": "norm. p.\nat 0.2",
    "norm_precision_area_to_0.5": "norm. p.\nto 0.5",
}
"""Figures that every protocol has, and short heads for them; a benchmark's own follow, under their own titles."""

_LEFT_OUT = ("mean_iou",)

NOISE = "made-up weights: its boxes are noise, and so is its score"


def print_accuracy(runs: Runs, scores: Sequence[EntrantScores], console: Console, per_sequence: bool = False) -> None:
    """Print the table of entrants, with `per_sequence` the benchmark's main figure per sequence, and the notes."""
    total = len(runs.sequences)
    record = runs.records[-1]
    console.print(f"{runs.dataset}: {total} sequences, {runs.starts.sentence}", style="bold", soft_wrap=True)
    console.print(f"machine: {record.machine.sentence}", soft_wrap=True)
    console.print()
    console.print(_summary(runs, scores))
    if per_sequence:
        console.print()
        console.print(_by_sequence(runs, scores))
    console.print()
    for line in notes(runs, scores):
        console.print(line, style="yellow" if NOISE in line else "dim", soft_wrap=True)


def notes(runs: Runs, scores: Sequence[EntrantScores]) -> list[str]:
    """What a reader has to know of the figures, the noise of untrained weights first."""
    lines = [f"{s.entrant.name}: {NOISE}" for s in scores if not s.entrant.trained]
    hidden = [s.entrant.name for s in scores if s.summary is None and any(not q.unscoreable for q in s.sequences)]
    if hidden:
        lines.append(f"{', '.join(hidden)}: the truth is hidden, the benchmark's server has to score the results")
    empty = dict.fromkeys(q.sequence.name for s in scores for q in s.sequences if q.unscoreable)
    if empty:
        lines.append(f"left out, as no frame has a truth to score by: {_some(list(empty))}")
    lines += _unequal(runs, scores)
    if runs.protocol is Protocol.VOT2020 and any(s.summary and "eao" not in s.summary.figures for s in scores):
        lines.append(f"no {FIGURES['eao'].title}: {FIGURES['eao'].meaning}")
    own = dict.fromkeys(name for s in scores if s.summary for name in s.summary.figures if name not in _LEFT_OUT)
    lines += [f"{FIGURES[name].title}: {FIGURES[name].meaning}" for name in own]
    sides = {(r.jobs, r.threads) for r in runs.records}
    how = " or ".join(f"{jobs} side by side, CPU threads of each: {threads}" for jobs, threads in sorted(sides))
    lines.append(f"frames/s: updates over the time that they took, reading frames left out; processes: {how}")
    return lines


def _unequal(runs: Runs, scores: Sequence[EntrantScores]) -> list[str]:
    """Who has which sequences, where the rows of the table are over different ones."""
    names = [{q.sequence.name for q in s.sequences} for s in scores]
    lines = []
    if any(one != names[0] for one in names):
        counts = ", ".join(f"{s.entrant.name} {len(s.sequences)}" for s in scores)
        lines.append(
            f"finished sequences: {counts}; each row is over its own, the report is over those that all have in common"
        )
    for s, have in zip(scores, names, strict=True):
        missing = [q.name for q in runs.sequences if q.name not in have]
        if missing and s.entrant.kind is EntrantKind.RESULTS:
            lines.append(f"{s.entrant.name}: no results of {_some(missing)}")
    return lines


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def accuracy_json(runs: Runs, scores: Sequence[EntrantScores]) -> dict[str, Any]:
    """Every figure: per entrant, and per entrant and sequence."""
    return {
        "dataset": runs.dataset,
        "protocol": str(runs.protocol),
        "starts": to_json(runs.starts),
        "machines": [to_json(record.machine) for record in runs.records],
        "commands": [command for record in runs.records for command in record.commands],
        "sequences": len(runs.sequences),
        "entrants": [_entrant_json(s) for s in scores],
    }


def _entrant_json(scores: EntrantScores) -> dict[str, Any]:
    summary = scores.summary
    return {
        **to_json(scores.entrant),
        "finished": len(scores.sequences),
        "frames_per_second": scores.frames_per_second,
        "figures": summary.figures if summary else None,
        "curves": to_json(summary.curves) if summary else None,
        "by_sequence": {
            s.sequence.name: {name: s.figure(name) for name in s.scores[0].figures} if s.scores else None
            for s in scores.sequences
        },
    }


def _summary(runs: Runs, scores: Sequence[EntrantScores]) -> Table:
    found = [s.summary.figures for s in scores if s.summary]
    names = [n for n in _COLUMNS if any(n in figures for figures in found)]
    names += dict.fromkeys(n for figures in found for n in figures if n not in _COLUMNS and n not in _LEFT_OUT)
    whole = all(len(s.sequences) == len(runs.sequences) for s in scores)
    heads = [_COLUMNS.get(n) or FIGURES[n].title for n in names]
    table = make_table("", *([] if whole else ["sequences"]), *heads, "frames/s")
    for s in scores:
        figures = s.summary.figures if s.summary else {}
        table.add_row(
            _name(s.entrant),
            *([] if whole else [f"{len(s.sequences)} of {len(runs.sequences)}"]),
            *(_number(figures.get(name)) for name in names),
            "-" if s.frames_per_second is None else f"{s.frames_per_second:.1f}",
        )
    return table


def _by_sequence(runs: Runs, scores: Sequence[EntrantScores]) -> Table:
    figure = sequence_figure(runs.protocol)
    table = make_table(FIGURES[figure].title, "frames", *(_name(s.entrant) for s in scores))
    for sequence in runs.sequences:
        found = [s.of(sequence.name) for s in scores]
        values = (_number(f.figure(figure) if f else None) for f in found)
        table.add_row(sequence.name, str(sequence.frames), *values)
    return table


def sequence_figure(protocol: Protocol) -> str:
    """The benchmark's main figure, or where single sequences have none of it, success AUC."""
    return "success_auc" if protocol is Protocol.VOT2020 else main_figure(protocol)


def make_table(first: str, *columns: str) -> Table:
    """A table whose first column holds names and whose others hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    return table


def _name(entrant: EntrantRecord) -> str:
    return entrant.name if entrant.trained else f"{entrant.name} (noise)"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
