"""`ostrack-train`: arguments and printing only."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .._command import run_app
from ..runtime.errors import InputError, MissingExtraError
from ..runtime.extras import installed

app = typer.Typer(help="Train, fine-tune and validate OSTrack networks.", no_args_is_help=True, add_completion=False)

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.", show_default=False)]
Devices = Annotated[int, typer.Option(min=1, help="GPUs, or processes on a machine without.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that make pairs, for each device.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; one per core by default.")]
Accelerator = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.callback()
def _root() -> None:
    """Train, fine-tune and validate OSTrack networks."""


@app.command()
def run(
    folder: Annotated[Path, typer.Option("--out", help="Folder of the run; it must not hold one yet.")],
    data: Annotated[list[str], typer.Option(metavar="SPEC", help="Where pairs come from, as packed:FOLDER.")],
    preset: Annotated[str, typer.Option(help="The network and recipe to begin with; see: ostrack-train presets.")],
    hold_back: Annotated[str, typer.Option(metavar="NAMES", help="Kept for validation: tiger,Car4,photos=0.07.")] = "",
    init: Annotated[Path | None, typer.Option(help="Weights to start from: a tracker's, or a plain ViT's.")] = None,
    template: Annotated[int | None, typer.Option(min=16, help="Template crop, pixels.")] = None,
    search: Annotated[int | None, typer.Option(min=16, help="Search crop, pixels.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Epochs; decay and elimination move with them.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pairs of a step, over all devices.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The recipe's, unless given.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights and pairs.")] = None,
    devices: Devices = 1,
    accelerator: Accelerator = "auto",
    workers: Workers = 1,
    threads: Threads = None,
) -> None:
    """Train a network. Ctrl-C stops it after the step; `ostrack-train resume RUN` goes on."""
    _require_torch()
    from .data.hold_back import HoldBack
    from .launch import begin, follow
    from .plan import SCHEMA, Plan
    from .presets import preset as choose

    chosen = choose(preset)
    geometry, recipe = chosen.geometry, chosen.recipe
    sizes = {"template_size": template, "search_size": search}
    geometry = dataclasses.replace(geometry, **{name: size for name, size in sizes.items() if size is not None})
    how = recipe.optimisation
    changes = {"batch": batch, "learning_rate": learning_rate}
    how = dataclasses.replace(how, **{name: value for name, value in changes.items() if value is not None})
    warmup = recipe.elimination
    if epochs is not None:
        scale = epochs / how.epochs
        how = dataclasses.replace(how, epochs=epochs, decay_epoch=how.decay_epoch * scale)
        warmup = dataclasses.replace(warmup, start=warmup.start * scale, end=warmup.end * scale)
    recipe = dataclasses.replace(recipe, optimisation=how, elimination=warmup)
    if seed is not None:
        recipe = dataclasses.replace(recipe, seed=seed)
    if chosen.pretrained and init is None:
        raise InputError(f"the preset {preset} starts from a pretrained network; give its file with --init")
    from .begin import describe_start

    plan = Plan(SCHEMA, preset, geometry, tuple(data), HoldBack.parse(hold_back), describe_start(init), recipe)
    begin(folder, plan)
    follow(folder, devices, accelerator, workers, threads, Console(stderr=True))


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
    from .launch import follow

    follow(folder, devices, accelerator, workers, threads, Console(stderr=True))


def _require_torch() -> None:
    for package in ("torch", "lightning_fabric", "cv2"):
        if not installed(package):
            raise MissingExtraError(package, "training", "train")


def main() -> None:
    """The entry point of `ostrack-train`."""
    run_app(app)
