"""The options of a live source, as Typer takes them. No OpenCV here: --help answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .._command import bundle_or_default, parse_box
from ..runtime.geometry import Box

if TYPE_CHECKING:
    from .live import LiveOptions

SOURCE_HELP = (
    "A camera (v4l2:///dev/video0?size=1280x720&rate=30, csi://0), a stream (rtsp://, http://), a video file or folder "
    "(file:///clip.mp4?speed=real), raw frames on stdin (raw:-?size=640x480), a GStreamer pipeline (gst:...), or the "
    "rendered scene (scene:)."
)

Bundles = Annotated[
    list[str] | None,
    typer.Option("--bundle", metavar="[NAME=]FOLDER", help="A bundle; several may be switched between."),
]
Inits = Annotated[
    list[Box] | None,
    typer.Option(
        "--init", parser=parse_box, metavar="X,Y,W,H", help="A target in the first frame, pixels; repeatable."
    ),
]
LiveOut = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write the footage with the boxes drawn, .mp4 or .avi.")
]
LiveResults = Annotated[
    list[Path] | None,
    typer.Option("--results", metavar="FILE", help="Write .jsonl, .csv or .txt (x,y,w,h), - for stdout; repeatable."),
]
Mqtt = Annotated[
    str | None, typer.Option(metavar="URL", help="Publish results to mqtt://[USER@]HOST/TOPIC; mqtts:// with TLS.")
]
Webhook = Annotated[str | None, typer.Option(metavar="URL", help="POST each event to this address as JSON.")]
BackendName = Annotated[str, typer.Option(metavar="NAME", help="The engine, or auto: the first that can run.")]
LivePrecision = Annotated[
    str | None, typer.Option(metavar="P", help="fp32, fp16 or int8; without it, the engine's own.")
]
Threads = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="CPU threads of the engine; without it, one per core.")
]
MaxTargets = Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Targets that may be followed at once.")]
Stats = Annotated[bool, typer.Option("--stats", help="Print latency, drops and states to stdout as JSON lines.")]


def live_options(
    source: str,
    bundle: list[str] | None,
    init: list[Box] | None,
    out: Path | None,
    results: list[Path] | None,
    mqtt: str | None,
    webhook: str | None,
    backend: str,
    precision: str | None,
    threads: int | None,
    max_targets: int,
) -> LiveOptions:
    """What these options ask for; stderr is told where no bundle is among them and the default model's is taken."""
    from .live import LiveOptions

    if not bundle:
        bundle_or_default(None)
    return LiveOptions(
        source,
        tuple(bundle or ()),
        tuple(init or ()),
        out,
        tuple(results or ()),
        mqtt,
        webhook,
        backend,
        precision,
        threads,
        max_targets,
    )
