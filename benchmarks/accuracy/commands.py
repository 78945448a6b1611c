"""`ostrack-bench accuracy`: its options, read and handed on."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..._command import bundle_or_default, console
from ...models import DEFAULT_NAME
from ...runtime.bundle import Bundle
from ...runtime.files import check_place
from ...runtime.manifest import Precision
from ..metrics import Protocol, protocol_of
from ..output import write_json
from .options import Checkpoint, Json, Threads, parse_part, parse_precisions, parse_seeds, whole_spec
from .starts import StartPlan

if TYPE_CHECKING:
    from ...datasets.sequence import Dataset
    from .entrants import Entrant


def accuracy(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            help="The bundle to test; without one, the default model's, or none where --peer or --results stand alone."
        ),
    ] = None,
    dataset: Annotated[str, typer.Option(metavar="LAYOUT:PATH", help="Such as got10k:/data/GOT-10k/val.")] = ...,  # type: ignore[assignment]
    out: Annotated[
        Path, typer.Option(metavar="RUN", help="Folder of the results; what is there is not run again.")
    ] = ...,  # type: ignore[assignment]
    backend: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this backend of the bundle; may be repeated.")
    ] = None,
    precision: Annotated[
        Any,
        typer.Option(parser=parse_precisions, metavar="LIST", help="fp32,fp16,int8; all the bundle has by default."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="pytorch", help="Test the PyTorch network beside the bundle.")
    ] = None,
    checkpoint: Checkpoint = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]KIND:PLACE", help="Another tracker, nano:FOLDER; may be repeated."),
    ] = None,
    results: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="Somebody's result files, to be scored too; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the bundle is called in tables; its folder's name.")] = None,
    protocol: Annotated[
        Protocol | None, typer.Option(help="The benchmark whose way of counting is used; the data set's own.")
    ] = None,
    restart_every: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="Put the trackers on the truth again every N frames.")
    ] = None,
    jitter: Annotated[
        Any, typer.Option(parser=parse_seeds, metavar="SEEDS", help="1,2,3: start from shaken boxes, once per seed.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="SEQUENCE", help="Only this one; may be repeated.")] = None,
    skip: Annotated[list[str] | None, typer.Option(metavar="SEQUENCE", help="Not this one; may be repeated.")] = None,
    part: Annotated[
        Any, typer.Option(parser=parse_part, metavar="I/N", help="The I-th of every N sequences, to share out a run.")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=2, metavar="N", help="The first N of every sequence alone.")] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Processes side by side.")] = 1,
    threads: Threads = None,
    per_sequence: Annotated[bool, typer.Option("--per-sequence", help="Add the table of sequences.")] = False,
    json: Json = None,
) -> None:
    """Accuracy and speed on annotated sequences: of the bundle, of PyTorch, and of other trackers, in one run."""
    if json:
        check_place(json)
    entrants = _entrants(bundle, backend, precision, reference, checkpoint, peer, name, alone=bool(peer or results))
    # Here, as reading footage needs OpenCV.
    from ...datasets.registry import open_dataset
    from .merge import open_runs
    from .plan import RunOptions
    from .run import run_accuracy
    from .scores import score_runs
    from .table import accuracy_json, print_accuracy

    found = open_dataset(dataset, only=only or (), skip=skip or ())
    rules = protocol or protocol_of(found.name)
    options = RunOptions(
        dataset=whole_spec(dataset),
        protocol=str(rules),
        out=out,
        command=shlex.join(["ostrack-bench", *sys.argv[1:]]),
        starts=StartPlan(restart_every, rules is Protocol.VOT2020, jitter or ()),
        part=part or (1, 1),
        most_frames=frames,
        jobs=jobs,
        threads=threads,
    )
    outcome = run_accuracy(options, found, entrants, results or ())
    if outcome.failures and not outcome.done + outcome.kept:
        outcome.check(out)
    runs = open_runs([out])
    scores = score_runs(runs)
    print_accuracy(runs, scores, console(), per_sequence)
    _print_notes(found)
    if json:
        write_json(json, accuracy_json(runs, scores))
    # What is finished was shown; the exit code and the last word say that something is missing.
    outcome.check(out)


def _print_notes(dataset: Dataset) -> None:
    for note in dataset.notes:
        console().print(note, style="dim", soft_wrap=True)


def _entrants(
    bundle: Path | None,
    backends: list[str] | None,
    precisions: tuple[Precision, ...] | None,
    reference: str | None,
    checkpoint: Path | None,
    peers: list[str] | None,
    name: str | None,
    alone: bool,
) -> list[Entrant]:
    """alone: whether there is something to test without a bundle."""
    from .entrants import bundle_entrants, peer_entrant, reference_entrant

    if reference not in (None, "pytorch"):
        raise typer.BadParameter(f"the reference is pytorch, not {reference!r}")
    if checkpoint is not None and reference is None:
        raise typer.BadParameter("--checkpoint is for --reference pytorch")
    if bundle is None and (backends or precisions or reference or name or not alone):
        # Its folder's name, bundle, would say nothing in a table.
        bundle, name = bundle_or_default(None), name or DEFAULT_NAME
    found = []
    if bundle is not None:
        opened = Bundle.open(bundle)
        if reference:
            found.append(reference_entrant(opened, checkpoint, name))
        found += bundle_entrants(opened, backends or (), precisions or (), name)
    return found + [peer_entrant(peer) for peer in peers or ()]
