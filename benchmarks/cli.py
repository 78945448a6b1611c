"""`ostrack-bench`: multiply-adds, frames per second, accuracy."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from .._command import bundle_or_default, console, parse_blocks, parse_keep_ratio, run_app
from ..export.variants import VARIANTS, Elimination, changed_geometry, published_geometry
from ..runtime.files import check_place
from ..runtime.manifest import Precision, read_manifest
from ..runtime.network import TemplateTokens
from .accuracy.agreement_command import agreement
from .accuracy.commands import accuracy
from .accuracy.compare_command import compare, report, submit
from .fps.measure import FpsOptions, measure
from .fps.table import print_fps
from .gpu.command import gpu
from .macs.count import count_bundle, count_geometry, count_keep_ratios
from .macs.table import print_keep_ratios, print_macs
from .output import write_json

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What a network costs, how fast it runs here, and how well."
)

Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every figure to FILE as JSON.")]


@app.command()
def macs(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle; without one, and without --variant, the default model's.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help=f"A published network instead of a bundle's: one of {', '.join(VARIANTS)}.")
    ] = None,
    keep_ratio: Annotated[
        Any,
        typer.Option(
            parser=parse_keep_ratio,
            metavar="RATIO",
            help="Count that network at another one: 0.5, or one per elimination block, 0.7,0.7,0.8.",
        ),
    ] = None,
    elimination_blocks: Annotated[
        Any,
        typer.Option(
            parser=parse_blocks, metavar="BLOCKS", help="Count it with others that drop candidates, from 0: 3,6,9."
        ),
    ] = None,
    template_tokens: Annotated[
        TemplateTokens | None, typer.Option(help="Count it with other template tokens ranking the candidates.")
    ] = None,
    every_ratio: Annotated[bool, typer.Option("--all", help="Add the table of keep ratios from 1 to 0.5.")] = False,
    json: Json = None,
) -> None:
    """Multiply-adds per stage: as published, every matrix product, and what the exported graphs execute."""
    if json:
        check_place(json)
    if bundle and variant:
        raise typer.BadParameter(f"{bundle} and --variant {variant} are two networks; give one of them")
    elimination = Elimination(keep_ratio, template_tokens, elimination_blocks)
    if variant:
        report = count_geometry(published_geometry(variant, keep_ratio, template_tokens, elimination_blocks))
    elif elimination == Elimination():
        report = count_bundle(bundle_or_default(bundle))
    else:
        report = count_geometry(changed_geometry(read_manifest(bundle_or_default(bundle)).network, elimination))
    ratios = count_keep_ratios(report.network) if every_ratio else []
    out = console()
    print_macs(report, out)
    if ratios:
        print_keep_ratios(ratios, out)
    if json:
        write_json(json, {**_fields(report), "keep_ratios": ratios})


@app.command()
def fps(
    bundle: Annotated[
        Path | None, typer.Argument(help="The bundle to measure; without one, the default model's.")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="A video or a folder of images; without one, a rendered scene.")
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this backend of the bundle; may be repeated.")
    ] = None,
    precision: Annotated[
        list[Precision] | None, typer.Option(help="Only this precision of the backends; may be repeated.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of every row; one per core by default.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that every row gets.")] = 5,
    frames: Annotated[int, typer.Option(min=1, help="Frames counted in a turn.")] = 20,
    warmup: Annotated[int, typer.Option(min=0, help="Frames before them that are not counted.")] = 3,
    sustained: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Then run the bundle's backends this long each.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Weights of the PyTorch rows; the default model's where they fit, else made up.")
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(metavar="BUNDLE", help="Another bundle whose backends take turns too; may be repeated."),
    ] = None,
    json: Json = None,
) -> None:
    """Frames per second of the bundle's backends against PyTorch: same frames, own processes, taking turns."""
    if json:
        check_place(json)
    options = FpsOptions(
        bundle=bundle_or_default(bundle),
        video=video,
        backends=tuple(backend or ()),
        precisions=tuple(precision or ()),
        threads=threads,
        rounds=rounds,
        frames=frames,
        warmup=warmup,
        sustained=sustained,
        checkpoint=checkpoint,
        beside=tuple(beside or ()),
    )
    report = measure(options)
    print_fps(report, console())
    if json:
        write_json(json, report)


@app.command()
def crop(
    width: Annotated[int, typer.Option(min=64, help="Of the frame, pixels.")] = 1920,
    height: Annotated[int, typer.Option(min=64, help="Of the frame, pixels.")] = 1080,
    repeats: Annotated[int, typer.Option(min=1, help="Places that a box of each size is put at.")] = 200,
    json: Json = None,
) -> None:
    """Milliseconds of the search region's crop, byte-equal to the published one, by size of the box."""
    if json:
        check_place(json)
    # Here, as multiply-adds need no OpenCV.
    from .crop import time_crops
    from .crop_table import print_crops

    times = time_crops(width, height, repeats)
    print_crops(times, width, height, console())
    if json:
        write_json(json, times)


for command in (gpu, accuracy, agreement, compare, report, submit):
    app.command()(command)


def _fields(report: Any) -> dict[str, Any]:
    return {f.name: getattr(report, f.name) for f in dataclasses.fields(report)}


def main() -> NoReturn:
    """The command `ostrack-bench`."""
    run_app(app)
