"""`ostrack-bench agreement`: its options, read and handed on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..._command import bundle_or_default, console, parse_box
from ...runtime.bundle import Bundle
from ...runtime.errors import BenchmarkError, InputError
from ...runtime.extras import installed
from ...runtime.files import check_place
from ...runtime.geometry import Box, check_box
from ...runtime.manifest import Precision
from ..engines import EMULATED, choose_engines, load_engine
from ..output import write_json
from ..weights import checkpoint_of
from .entrants import check_batch, reference_backend
from .options import Checkpoint, Json, Threads
from .progress import frame_progress

if TYPE_CHECKING:
    from ...datasets.footage import Footage
    from ..agreement import Side


PYTORCH = "pytorch"


def agreement(
    bundle: Annotated[Path | None, typer.Argument(help="The bundle to test; without one, the default model's.")] = None,
    video: Annotated[
        Path | None, typer.Option(help="A video or a folder of images; it needs no ground truth.", show_default=False)
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="LAYOUT:PATH", help="Instead: every sequence of a data set, and all together.")
    ] = None,
    init: Annotated[
        Any, typer.Option(parser=parse_box, metavar="X,Y,W,H", help="The target in the first frame; its truth's first.")
    ] = None,
    precision: Annotated[Precision, typer.Option(help="What is tested.")] = Precision.FP32,
    backend: Annotated[str, typer.Option(metavar="NAME", help="What runs it.")] = "auto",
    against: Annotated[
        str | None,
        typer.Option(
            metavar="PRECISION",
            help="What it is compared with: a precision, or pytorch; unless given, fp32, and for fp32 itself pytorch.",
        ),
    ] = None,
    against_backend: Annotated[
        str | None, typer.Option(metavar="NAME", help="What runs that; the same backend by default.")
    ] = None,
    checkpoint: Checkpoint = None,
    frames: Annotated[int | None, typer.Option(min=2, metavar="N", help="Only the first N frames.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw the frames that agree least into this folder.")
    ] = None,
    threads: Threads = None,
    json: Json = None,
) -> None:
    """How far two precisions or backends agree on footage: from the same state frame by frame, and running free."""
    if (video is None) == (dataset is None):
        raise typer.BadParameter("give --video FOOTAGE, or --dataset LAYOUT:PATH")
    if dataset is not None and (init is not None or pictures is not None):
        raise typer.BadParameter("--init and --pictures are for --video")
    if json:
        check_place(json)
    opened = Bundle.open(bundle_or_default(bundle))
    if pictures:
        check_place(pictures / "picture.jpg" if pictures.is_dir() else pictures)
    tested, than = (backend, precision), (against_backend, against)
    sides = choose_sides(opened, tested, than, checkpoint, threads)
    if dataset is not None:
        _over_dataset(dataset, sides, opened.manifest.trained, frames, json)
    else:
        assert video is not None
        _over_video(video, init, sides, opened.manifest.trained, frames, pictures, json)


def _over_video(
    video: Path,
    init: Box | None,
    sides: tuple[Side, Side],
    trained: bool,
    frames: int | None,
    pictures: Path | None,
    json: Path | None,
) -> None:
    from ...datasets.footage import open_footage
    from ..agreement import agreement_lines, measure_agreement
    from ..agreement_pictures import write_pictures

    with open_footage(video) as footage:
        start = first_box(footage, init)
        counts = [count for count in (footage.frame_count, frames) if count]
        with frame_progress(2 * min(counts) if counts else None) as bar:
            report = measure_agreement(footage, start, *sides, trained, frames, bar.reach)
        written = write_pictures(report, footage, pictures) if pictures else []
    for line in agreement_lines(report):
        console().print(line, soft_wrap=True)
    if written:
        console().print(f"wrote {len(written)} pictures into {pictures}", soft_wrap=True)
    if json:
        write_json(json, report)


def _over_dataset(dataset: str, sides: tuple[Side, Side], trained: bool, frames: int | None, json: Path | None) -> None:
    from ...datasets.registry import open_dataset
    from ..agreement import measure_agreement
    from ..agreement_total import NamedFrames, print_total, total_of

    reports = {}
    sequences = open_dataset(dataset).sequences
    with frame_progress(2 * sum(min(len(s), frames or len(s)) for s in sequences)) as bar:
        done = 0
        for sequence in sequences:
            before = done

            def tick(count: int, before: int = before) -> None:
                bar.reach(before + count)

            footage = NamedFrames(Path(sequence.name), sequence.frames)
            report = measure_agreement(footage, sequence.first_box, *sides, trained, frames, tick)
            reports[sequence.name] = report
            done += 2 * min(len(sequence), frames or len(sequence))
    total = total_of(reports)
    print_total(console(), total)
    if json:
        write_json(json, total)


def choose_sides(
    bundle: Bundle,
    tested: tuple[str, str],
    against: tuple[str | None, str | None],
    checkpoint: Path | None,
    threads: int | None,
) -> tuple[Side, Side]:
    """What is tested and what it is compared with, each as backend and precision, the latter also "pytorch".

    Where it is not said what to compare with: the tested backend in FP32, and where that is what is tested, PyTorch.
    Raises BenchmarkError where the two are the same, and what their backends and precisions raise.
    """
    check_batch(bundle)
    side = _side(bundle, *tested, checkpoint, threads)
    engine, kind = _other_engine(against[0], tested[0]), against[1] or Precision.FP32
    other = _side(bundle, engine, kind, checkpoint, threads)
    if side.name == other.name and against == (None, None) and _has_reference(bundle, checkpoint):
        kind = PYTORCH
        other = _side(bundle, engine, kind, checkpoint, threads)
    if side.name == other.name:
        raise BenchmarkError(
            f"{side.name} would be compared with itself; give --against {PYTORCH}, or name another --precision, "
            "--against or --against-backend"
        )
    if checkpoint is not None and kind != PYTORCH:
        raise BenchmarkError(f"--checkpoint is for --against {PYTORCH}")
    return side, other


def _has_reference(bundle: Bundle, checkpoint: Path | None) -> bool:
    """Whether PyTorch is here, and the weights of a trained bundle; those of others are made up again."""
    return installed("torch") and (not bundle.manifest.trained or checkpoint_of(bundle, checkpoint) is not None)


def _side(bundle: Bundle, backend: str, precision: str, checkpoint: Path | None, threads: int | None) -> Side:
    from ..agreement import Side

    if precision == PYTORCH:
        return Side(PYTORCH, lambda: reference_backend(bundle, checkpoint, threads))
    try:
        kind = Precision(precision)
    except ValueError:
        known = ", ".join(map(str, Precision))
        raise InputError(f"{precision!r} is nothing to compare with; give one of {known}, or {PYTORCH}") from None
    # Now, as the other engine runs through the whole footage first.
    name = choose_engines(bundle, [] if backend == "auto" else [backend], [kind])[0][0]
    return Side(f"{name} {kind}", lambda: load_engine(bundle, name, kind, threads))


def _other_engine(named: str | None, tested: str) -> str:
    """What runs the other side: the same engine, except that an emulation is compared with the real thing."""
    return named or ("auto" if tested == EMULATED else tested)


def first_box(footage: Footage, init: Box | None) -> Box:
    """The box to start from: `init`, or the first of the ground truth. Raises InputError where there is neither."""
    if init is not None:
        return init
    if footage.truth is None:
        raise InputError(f"{footage.path} has no ground truth beside it; say where the target is with --init X,Y,W,H")
    return check_box(footage.truth[0], f"the first box of {footage.truth_file}")
