"""`ostrack-train`: arguments and printing only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .._command import console, parse_blocks, parse_keep_ratio, run_app
from ..runtime.errors import InputError, MissingExtraError
from ..runtime.extras import installed
from ..runtime.files import check_place, whole_or_nothing
from ..runtime.manifest import to_json
from ..runtime.network import TemplateTokens

if TYPE_CHECKING:
    from .loop import Outcome

app = typer.Typer(help="Train, fine-tune and validate OSTrack networks.", no_args_is_help=True, add_completion=False)

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.", show_default=False)]
Data = Annotated[
    list[str], typer.Option(metavar="SPEC", help="Where pairs come from, KIND:PATH[=SHARE]; may be repeated.")
]
HoldBackNames = Annotated[str, typer.Option(metavar="NAMES", help="Kept for validation: tiger,Car4,photos=0.07.")]
PresetName = Annotated[
    str | None, typer.Option(help="The network and recipe to begin with; see: ostrack-train presets.")
]
RecipePath = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Instead of a preset: what `presets NAME --json` prints, changed.")
]
Devices = Annotated[int, typer.Option(min=1, help="GPUs, or processes on a machine without.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that make pairs, for each device.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads of a device; one per core by default.")]
Accelerator = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.callback()
def _root() -> None:
    """Train, fine-tune and validate OSTrack networks."""


@app.command()
def run(
    folder: Annotated[Path, typer.Option("--out", help="Folder of the run; it must not hold one yet.")],
    data: Data,
    preset: PresetName = None,
    recipe: RecipePath = None,
    hold_back: HoldBackNames = "",
    init: Annotated[Path | None, typer.Option(help="Weights to start from: a tracker's, or a plain ViT's.")] = None,
    teacher: Annotated[Path | None, typer.Option(help="A tracker's checkpoint to learn from as well.")] = None,
    distil: Annotated[
        str | None, typer.Option(metavar="WEIGHTS", help="What to learn from it; score=1,box=1,tokens=1 unless given.")
    ] = None,
    template: Annotated[int | None, typer.Option(min=16, help="Template crop, pixels.")] = None,
    search: Annotated[int | None, typer.Option(min=16, help="Search crop, pixels.")] = None,
    template_factor: Annotated[float | None, typer.Option(help="Template crop, in sizes of the target.")] = None,
    search_factor: Annotated[float | None, typer.Option(help="Search crop, in sizes of the target.")] = None,
    keep_ratio: Annotated[
        Any,
        typer.Option(parser=parse_keep_ratio, metavar="R[,R...]", help="Share of candidates kept, or one per stage."),
    ] = None,
    elimination_blocks: Annotated[
        Any, typer.Option(parser=parse_blocks, metavar="B,...", help="Blocks that drop candidates, counted from 0.")
    ] = None,
    template_tokens: Annotated[
        TemplateTokens | None, typer.Option(help="Template tokens that rank the candidates.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Channels of a network from nothing.")] = None,
    depth: Annotated[int | None, typer.Option(min=1, help="Blocks of a network from nothing.")] = None,
    heads: Annotated[int | None, typer.Option(min=1, help="Attention heads; width / 64 unless given.")] = None,
    head_width: Annotated[int | None, typer.Option(min=8, help="Channels of the centre head.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Epochs; decay and elimination move with them.")] = None,
    pairs_per_epoch: Annotated[int | None, typer.Option(min=1, help="Pairs that make an epoch.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pairs of a step, over all devices.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The recipe's, unless given.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adamw, or muon for the blocks' matrices.")] = None,
    drop_path: Annotated[float | None, typer.Option(help="Chance to leave out the last block's halves.")] = None,
    clip_norm: Annotated[float | None, typer.Option(help="Largest norm of the gradients; 0 for any.")] = None,
    precision: Annotated[str | None, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = None,
    validate_every: Annotated[float | None, typer.Option(help="Epochs between validations.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights and pairs.")] = None,
    devices: Devices = 1,
    accelerator: Accelerator = "auto",
    workers: Workers = 1,
    threads: Threads = None,
) -> None:
    """Train a network. Ctrl-C stops it after the step, a second one at once; `ostrack-train resume RUN` goes on."""
    _require_torch()
    from .begin import absolute_spec, describe_start, describe_teacher
    from .data.hold_back import HoldBack
    from .launch import Machine, start
    from .options import GeometryOptions, RecipeOptions, choose, planned_geometry, planned_recipe
    from .plan import SCHEMA, Plan

    name, chosen = choose(preset, recipe)
    if chosen.pretrained and init is None:
        raise InputError(f"{name} starts from a pretrained network; give its file with --init")
    if distil is not None and teacher is None:
        raise InputError("--distil says what to learn from a teacher; give one with --teacher")
    sizes = GeometryOptions(
        template_size=template,
        search_size=search,
        template_factor=template_factor,
        search_factor=search_factor,
        template_tokens=template_tokens,
        keep_ratio=keep_ratio,
        elimination_blocks=elimination_blocks,
        width=width,
        depth=depth,
        heads=heads,
        head_width=head_width,
    )
    choices = RecipeOptions(
        epochs=epochs,
        pairs_per_epoch=pairs_per_epoch,
        batch=batch,
        learning_rate=learning_rate,
        optimizer=optimizer,
        drop_path=drop_path,
        clip_norm=clip_norm,
        precision=precision,
        validate_every=validate_every,
        seed=seed,
        distil=distil,
    )
    specs, held = tuple(map(absolute_spec, data)), HoldBack.parse(hold_back)
    geometry = planned_geometry(chosen, sizes, init)
    how = planned_recipe(chosen, choices, geometry, teacher is not None)
    plan = Plan(SCHEMA, name, geometry, specs, held, describe_start(init), how, describe_teacher(teacher))
    _leave(start(folder, plan, Machine(devices, accelerator, workers, threads), Console(stderr=True)))


@app.command()
def resume(
    folder: RunFolder,
    devices: Devices = 1,
    accelerator: Accelerator = "auto",
    workers: Workers = 1,
    threads: Threads = None,
) -> None:
    """Go on with a run that was stopped: the same weights come out as if it had not been."""
    _require_torch()
    from .launch import Machine, follow

    _leave(follow(folder, Machine(devices, accelerator, workers, threads), Console(stderr=True)))


@app.command()
def validate(
    checkpoint: Annotated[Path, typer.Argument(help="A run's network.safetensors, or any tracker's checkpoint.")],
    data: Annotated[
        list[str] | None, typer.Option(metavar="SPEC", help="As of `run`; the run's own if left out.")
    ] = None,
    hold_back: Annotated[
        str, typer.Option(metavar="NAMES", help="Only these of the data; the run's own if left out.")
    ] = "",
    keep_ratio: Annotated[
        Any, typer.Option(parser=parse_keep_ratio, metavar="R[,R...]", help="A row each; 1 to 0.5 unless given.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of every row.")] = 2000,
    accelerator: Accelerator = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write every figure to FILE as JSON.")
    ] = None,
) -> None:
    """AUC and IoU at several keep ratios, on pairs that the network was not trained on."""
    if json_file:
        check_place(json_file)
    _require_torch()
    from ..export.load import load_network
    from .begin import absolute_spec
    from .data.hold_back import HoldBack
    from .held_back import RATIOS, choose_held_back, open_held_back, table
    from .launch import device_kind
    from .show import print_rows

    device = device_kind(accelerator)
    ratios = RATIOS if keep_ratio is None else keep_ratio if isinstance(keep_ratio, tuple) else (keep_ratio,)
    held = HoldBack.parse(hold_back) if hold_back else None
    specs = tuple(map(absolute_spec, data or ()))
    network = load_network(checkpoint)
    chosen = choose_held_back(checkpoint, specs, held, network.geometry)
    mixture = open_held_back(chosen)
    notes = Console(stderr=True)
    with notes.status("validating"):
        rows = table(network.to(device), mixture, chosen.jitter, ratios, pairs)
    print_rows(rows, console())
    if json_file:
        report = {"checkpoint": str(checkpoint), "held_back": chosen, "pairs": pairs, "rows": rows}
        with whole_or_nothing(json_file) as partial:
            partial.write_text(json.dumps(to_json(report), indent=2) + "\n", encoding="utf-8")


@app.command()
def preview(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture to write, .png or .jpg.")],
    preset: PresetName = None,
    recipe: RecipePath = None,
    hold_back: HoldBackNames = "",
    pairs: Annotated[int, typer.Option(min=1, max=400, help="How many pairs.")] = 24,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the pairs.")] = None,
) -> None:
    """Draw pairs as the network gets them, cropped and changed, with their boxes."""
    _require_torch()
    from .begin import absolute_spec
    from .data.hold_back import HoldBack
    from .data.mixture import open_mixture
    from .options import RecipeOptions, choose, planned_recipe
    from .presets import DEFAULT
    from .preview import check_picture, draw_pairs, write_picture

    check_picture(out)
    _, chosen = choose(preset or (None if recipe else DEFAULT), recipe)
    if chosen.geometry is None:
        raise InputError("that recipe has no crop sizes of its own; preview one that has, such as ostrack-256")
    how = planned_recipe(chosen, RecipeOptions(seed=seed), chosen.geometry, taught=False)
    mixture = open_mixture(tuple(map(absolute_spec, data)), HoldBack.parse(hold_back), how.max_gap)
    write_picture(out, draw_pairs(mixture.training, chosen.geometry, how, pairs))
    console().print(f"{pairs} pairs: {out}", soft_wrap=True)


@app.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="Show every choice of this one.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as `run --recipe` reads it.")] = False,
) -> None:
    """The networks and recipes that `run --preset` knows."""
    _require_torch()
    from .options import recipe_json
    from .presets import PRESETS, preset
    from .show import print_preset, print_presets

    if name is None and as_json:
        raise InputError("name the preset to print as JSON, such as: ostrack-train presets edge --json")
    if name is None:
        print_presets(PRESETS, console())
    elif as_json:
        print(recipe_json(preset(name)))
    else:
        print_preset(preset(name), console())


def _leave(outcome: Outcome) -> None:
    """Interrupted runs end with the signal's code, so that a script does not go on with half a network."""
    if outcome.signal is not None:
        raise SystemExit(128 + outcome.signal)


def _require_torch() -> None:
    for package in ("torch", "lightning_fabric", "cv2"):
        if not installed(package):
            raise MissingExtraError(package, "training", "train")


def main() -> None:
    """The entry point of `ostrack-train`."""
    run_app(app)
