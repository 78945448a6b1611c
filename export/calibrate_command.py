"""`ostrack-export calibrate`: its options, read and handed on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from .._command import bundle_or_default, console
from ..calib.specs import LEAST_HELD_BACK, LEAST_SEEN, LIMIT, SPECS
from ..runtime.bundle import Bundle
from ..runtime.errors import MissingExtraError, OutputError
from ..runtime.extras import installed
from ..runtime.files import check_place

if TYPE_CHECKING:
    from ..calib.collect import Collected


def calibrate(
    footage: Annotated[list[str], typer.Option(metavar="FOOTAGE", help=f"{SPECS}; may be repeated.")],
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="File to write the crops to.")],
    bundle: Annotated[
        Path | None, typer.Argument(help="Folder of the bundle; the default model's if left out.", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option(min=LEAST_SEEN + LEAST_HELD_BACK, help="Search regions to take, at most.")
    ] = LIMIT,
    seed: Annotated[int, typer.Option(min=0, help="Of the jitter that is added to the tracker's own errors.")] = 0,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.jpg", help="Write a picture of all crops too, to look at.")
    ] = None,
) -> None:
    """Cut calibration crops from footage, by tracking it in FP32: to look at, or for --calibration of later builds."""
    if out.suffix != ".npz":
        raise OutputError(f"{out} cannot be written; crops are kept in a file whose name ends in .npz")
    check_place(out)
    for package in ("onnxruntime", "cv2"):
        if not installed(package):
            raise MissingExtraError(package, "cutting crops from footage", "cpu")
    from ..calib.crops import write_crops
    from ..calib.gather import crops_from_footage
    from ..calib.sheet import check_sheet, write_sheet

    if sheet:
        check_sheet(sheet)
    opened = Bundle.open(bundle_or_default(bundle))
    notes = Console(stderr=True)
    if not opened.manifest.trained:
        notes.print("the bundle's weights are made up: its tracker follows nothing, and its crops show that")
    with notes.status("opening the footage") as status:

        def progress(done: int, count: int) -> None:
            status.update(f"collecting calibration crops: {done} of {count}")

        crops, collected = crops_from_footage(opened, footage, limit=limit, seed=seed, progress=progress)
        status.update("writing the crops")
        write_crops(out, crops)
        if sheet:
            write_sheet(sheet, crops)
    shown = console()
    shown.print(_table(collected))
    shown.print(
        f"{len(crops.seen)} crops to calibrate on and {len(crops.unseen)} held back, of {len(crops.template)} "
        f"templates: {out}; sha256 {crops.sha256[:12]}",
        soft_wrap=True,
    )


def _table(collected: list[Collected]) -> Table:
    table = Table(
        "sequence", "frames tracked", "crops kept", "duplicates", "lost", "held back", box=None, padding=(0, 2)
    )
    for part in collected:
        figures = (part.frames, part.kept, part.duplicates, part.lost)
        table.add_row(part.name, *map(str, figures), "yes" if part.held_back else "")
    return table
