"""`ostrack-bench gpu`: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..._command import bundle_or_default, console
from ...runtime.files import check_place
from ..output import write_json
from .run import GpuOptions, measure_gpu
from .table import print_gpu


def gpu(
    bundle: Annotated[
        Path | None, typer.Argument(help="The bundle to measure; without one, the default model's.")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="A video or a folder of images; without one, a rendered scene.")
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option(min=1, metavar="N", help="Targets per call; may be repeated. [1, 8, 32]")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames counted in a row.")] = 100,
    warmup: Annotated[int, typer.Option(min=0, help="Frames before them that are not counted.")] = 20,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Weights of the PyTorch rows; the default model's where they fit, else made up.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every figure to FILE.")] = None,
) -> None:
    """All that runs on a GPU: PyTorch, ONNX Runtime, TensorRT, in every precision and batch; or why it does not."""
    if json:
        check_place(json)
    options = GpuOptions(bundle_or_default(bundle), video, tuple(batch or (1, 8, 32)), warmup, frames, checkpoint)
    run = measure_gpu(options)
    print_gpu(run, console())
    if json:
        write_json(json, run)
