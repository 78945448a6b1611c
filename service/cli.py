"""`ostrack-track`: arguments only; the work is in `run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._command import bundle_or_default, parse_box, run_app
from ..runtime.geometry import Box
from ..runtime.manifest import Precision
from .options import (
    SOURCE_HELP,
    BackendName,
    Bundles,
    Inits,
    LiveOut,
    LivePrecision,
    LiveResults,
    MaxTargets,
    Mqtt,
    Stats,
    Threads,
    Webhook,
    live_options,
)

app = typer.Typer(name="ostrack-track", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def ostrack_track() -> None:
    """Follow a target through footage with an exported OSTrack bundle."""


@app.command()
def run(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video file, or a folder of images.")],
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A bundle that ostrack-export built; without it, the default model's."),
    ] = None,
    init: Annotated[
        Box | None,
        typer.Option(
            parser=parse_box,
            metavar="X,Y,W,H",
            help="The target in the first frame, pixels. Without it: the first line of the ground truth beside VIDEO.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the footage with the box drawn, .mp4 or .avi."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one line x,y,w,h per frame; the first is the initial box."),
    ] = None,
    backend: BackendName = "auto",
    precision: Annotated[
        Precision | None, typer.Option(help="Of the bundle's graphs or engines; without it, the engine's own first.")
    ] = None,
    threads: Threads = None,
    allow_truncated: Annotated[
        bool, typer.Option("--allow-truncated", help="Take footage that ends early, or images that do, as it is.")
    ] = False,
) -> None:
    """Track one target through VIDEO, and say how fast that went and how well it agrees with the truth."""
    # Here, so that --help answers at once and without OpenCV.
    from .run import TrackingJob, run_job

    job = TrackingJob(
        video, bundle_or_default(bundle), init, out, results, backend, precision, threads, allow_truncated
    )
    for line in run_job(job):
        print(line)


@app.command()
def camera(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP)],
    bundle: Bundles = None,
    init: Inits = None,
    out: LiveOut = None,
    results: LiveResults = None,
    mqtt: Mqtt = None,
    webhook: Webhook = None,
    backend: BackendName = "auto",
    precision: LivePrecision = None,
    threads: Threads = None,
    max_targets: MaxTargets = 8,
    stats: Stats = False,
    window: Annotated[bool, typer.Option(help="Show a window; --no-window runs without a display.")] = True,
) -> None:
    """Follow targets in a camera's or stream's pictures, live, in a window."""
    from .camera import run_camera
    from .logs import log_to_stderr

    log_to_stderr()
    options = live_options(source, bundle, init, out, results, mqtt, webhook, backend, precision, threads, max_targets)
    for line in run_camera(options, window, stats):
        print(line)


def main() -> None:
    """The entry point of `ostrack-track`."""
    run_app(app)
