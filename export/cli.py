"""`ostrack-export`: arguments and printing only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from .._command import bundle_or_default, checkpoint_or_default, console, parse_blocks, parse_keep_ratio, run_app
from ..calib.clipping import RangeMethod
from ..calib.specs import SPECS
from ..runtime.bundle import Bundle
from ..runtime.errors import InputError, MissingExtraError
from ..runtime.extras import installed
from ..runtime.manifest import Precision, to_json
from ..runtime.network import ColorOrder, TemplateTokens
from .calibrate_command import calibrate
from .engines.commands import engines, show_engines
from .options import parse_precisions, parse_recipes
from .precision.commands import sensitivity
from .precision.plan import INT8_RECIPES, Calibrating, PrecisionPlan
from .show import print_agreement, print_bundle, print_parity, steps
from .variants import SIZES, Elimination, published_geometry
from .write import check_target

app = typer.Typer(help="From a checkpoint to a verified bundle.", no_args_is_help=True, pretty_exceptions_enable=False)

BundleArgument = Annotated[
    Path | None, typer.Argument(help="Folder of the bundle; the default model's if left out.", show_default=False)
]


@app.callback()
def _root() -> None:
    """From a checkpoint to a verified bundle."""


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", help="Folder to make the bundle in; a bundle there is replaced.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Published .pth.tar, state dict, or safetensors; the default model's if left out."),
    ] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Made-up weights instead of a checkpoint: to measure speed only.")
    ] = False,
    variant: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(SIZES)}; read from the checkpoint if left out.", show_default=False),
    ] = None,
    keep_ratio: Annotated[
        Any,
        typer.Option(
            parser=parse_keep_ratio,
            metavar="R[,R...]",
            help="Share of candidates kept, one or one per stage; 1 keeps all. \\[published: 0.7]",
        ),
    ] = None,
    elimination_blocks: Annotated[
        Any,
        typer.Option(
            parser=parse_blocks,
            metavar="B,...",
            help="Blocks that drop candidates, counted from 0. \\[published: 3,6,9]",
        ),
    ] = None,
    template_tokens: Annotated[
        TemplateTokens | None, typer.Option(help="Template tokens that rank the candidates. \\[published: centre]")
    ] = None,
    heads: Annotated[int | None, typer.Option(help="Attention heads; width / 64 if left out.")] = None,
    batch: Annotated[str, typer.Option(help="Targets per call: a number, or 'any'.")] = "1",
    color: Annotated[ColorOrder, typer.Option(help="Colour order of the crops that the graphs take.")] = ColorOrder.BGR,
    maps: Annotated[bool, typer.Option("--maps", help="Give out the score, size and offset maps too.")] = False,
    precision: Annotated[
        Any,
        typer.Option(
            parser=parse_precisions,
            metavar="P,...",
            help="fp32, fp16, int8; fp32 is built in any case.",
            show_default=False,
        ),
    ] = None,
    calibration: Annotated[
        list[str] | None,
        typer.Option(metavar="FOOTAGE", help=f"For int8: {SPECS}, or a file of crops; may be repeated."),
    ] = None,
    recipe: Annotated[
        Any,
        typer.Option(
            parser=parse_recipes, metavar="R,...", help="INT8 graphs to build: linears, attention, cpu. \\[linears,cpu]"
        ),
    ] = None,
    ranges: Annotated[RangeMethod, typer.Option(help="How an activation's range is taken.")] = RangeMethod.MSE,
    max_drop: Annotated[
        float | None,
        typer.Option(metavar="D", help="Keep the fewest Linears in float that lose at most D of FP32's overlap: 0.01."),
    ] = None,
) -> None:
    """Export a checkpoint as a bundle, and compare it with PyTorch, and each further precision with FP32."""
    if checkpoint is not None and untrained:
        raise InputError("give either --checkpoint FILE, or --untrained for made-up weights")
    if checkpoint is None and not untrained and variant is not None:
        raise InputError(
            f"--variant {variant} needs --checkpoint FILE, or --untrained: the default model has crops of its own size"
        )
    samples = _parse_batch(batch)
    calibrating = Calibrating(tuple(calibration or ()), recipe or INT8_RECIPES, ranges, max_drop=max_drop)
    plan = PrecisionPlan(precision or frozenset({Precision.FP32}), calibrating)
    check_target(out)
    elimination = Elimination(keep_ratio, template_tokens, elimination_blocks)
    notes = Console(stderr=True)
    _require_torch("exporting")
    if not untrained:
        checkpoint = checkpoint_or_default(checkpoint)
    from .build import build_bundle
    from .load import network_from, untrained_network

    with notes.status("reading the checkpoint") as status:
        if checkpoint is None:
            geometry = published_geometry(variant or "ostrack-256", keep_ratio, template_tokens, elimination_blocks)
            if heads is not None:
                geometry = dataclasses.replace(geometry, heads=heads)
            network, source = untrained_network(geometry), "made-up weights"
        else:
            from .checkpoint import read_checkpoint

            found = read_checkpoint(checkpoint)
            network, source = (
                network_from(found, variant, elimination, heads),
                f"{checkpoint.name} sha256:{found.sha256}",
            )

        progress = steps(notes, status)

        bundle = build_bundle(
            network,
            out,
            color=color,
            batch=samples,
            maps=maps,
            source=source,
            trained=not untrained,
            plan=plan,
            progress=progress,
        )
    print_bundle(console(), bundle)


@app.command()
def verify(
    bundle: BundleArgument = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Compare with this checkpoint's network, run now, instead of the stored answers."),
    ] = None,
) -> None:
    """Compare a bundle with PyTorch: its files' hashes, then maps, boxes and kept tokens on this machine."""
    from ..runtime.selftest import read_reference

    opened = Bundle.open(bundle_or_default(bundle))
    out = console()
    if checkpoint is not None:
        _require_torch("comparing with a checkpoint")
        from .answers import make_reference
        from .match import load_matching_network

        reference = make_reference(load_matching_network(opened, checkpoint), opened.manifest.color)
    else:
        reference = read_reference(opened)
    if not installed("onnx"):
        from ..runtime.backends import load_backend
        from ..runtime.selftest import check_agreement, compare

        engine = load_backend(opened)
        agreement = compare(engine, reference)
        print_agreement(out, agreement)
        if engine.name == "onnxruntime":
            # An engine that rounds has passed the test of its own when it was loaded.
            check_agreement(agreement)
    else:
        from .parity import check_parity, measure_parity

        parity = measure_parity(opened, reference)
        print_parity(out, parity)
        check_parity(parity)
    with_what = f"{checkpoint}" if checkpoint else "the PyTorch answers stored in it"
    out.print(f"{opened.folder} agrees with {with_what}", soft_wrap=True)


@app.command()
def inspect(
    bundle: BundleArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest, or the engines, as JSON.")] = False,
    of_engines: Annotated[
        bool, typer.Option("--engines", help="Show the engines, and what the builder made of each block.")
    ] = False,
    require_fused: Annotated[
        bool, typer.Option("--require-fused", help="With --engines: fail where FP16 or INT8 blocks are not fused.")
    ] = False,
) -> None:
    """Show what a bundle holds, after checking its files."""
    if require_fused and not of_engines:
        raise InputError("--require-fused is about engines; give --engines too")
    opened = Bundle.open(bundle_or_default(bundle))
    if of_engines:
        show_engines(opened, require_fused, as_json)
    elif as_json:
        print(json.dumps(to_json(opened.manifest), indent=1))
    else:
        print_bundle(console(), opened)


app.command()(calibrate)
app.command()(sensitivity)
app.command()(engines)


def _parse_batch(text: str) -> int | None:
    if text == "any":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--batch is {text!r}; give a number from 1, or 'any'")
    return int(text)


def _require_torch(purpose: str) -> None:
    for package in ("torch", "onnx", "onnxscript", "onnxruntime", "cv2"):
        if not installed(package):
            raise MissingExtraError(package, purpose, "export")


def main() -> None:
    run_app(app)
