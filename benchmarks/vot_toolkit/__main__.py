"""The two commands: `register` adds a bundle to a workspace, `track` is what the VOT toolkit starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..._command import bundle_or_default, run_app
from ...models import DEFAULT_NAME
from ...runtime.bundle import Bundle
from .registry import FILE_NAME, TrackerEntry, bundle_command
from .registry import register as add
from .serve import serve

app = typer.Typer(add_completion=False, no_args_is_help=True, help="A bundle as a tracker of the official VOT toolkit.")

BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle that ostrack-export built.")]
Backend = Annotated[str, typer.Option(metavar="NAME", help="The engine, or auto: the first that can run.")]
Precision = Annotated[str | None, typer.Option(metavar="NAME", help="fp32, fp16 or int8; the bundle's own default.")]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU threads of the engine.")]


@app.command()
def register(
    workspace: Annotated[Path, typer.Option(metavar="FOLDER", help="Made by `vot initialize STACK`.")],
    bundle: Annotated[
        Path | None,
        typer.Argument(metavar="BUNDLE", help="The bundle that ostrack-export built; without it, the default model's."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The tracker's identifier; the folder's name of the bundle.")] = None,
    backend: Backend = "auto",
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Add BUNDLE to the trackers of a workspace."""
    # The name of the default model's folder, bundle, would say nothing in a table.
    identifier = name or (bundle.resolve().name if bundle else DEFAULT_NAME)
    bundle = bundle_or_default(bundle)
    Bundle.open(bundle)
    entry = TrackerEntry(identifier, identifier, bundle_command(bundle, backend, precision, threads))
    added = add(workspace, entry)
    print(f"{'added to' if added else 'already in'} {workspace / FILE_NAME}: {identifier}")
    print(f"run it with: vot evaluate --workspace {workspace} {identifier}")


@app.command()
def track(
    bundle: BundleFolder, backend: Backend = "auto", precision: Precision = None, threads: Threads = None
) -> None:
    """Answer the VOT toolkit over stdin and stdout."""
    from ...datasets.images import read_image
    from ...runtime.tracker import Tracker

    # What a library prints belongs elsewhere than into the conversation.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(line: str) -> None:
        # The toolkit reads stdout and stderr as one: a message must not begin behind half a line of something else.
        channel.write("\n" + line)
        channel.flush()

    tracker = Tracker.load(bundle, backend, precision=precision, threads=threads)
    with channel:
        serve(tracker, sys.stdin, send, read_image, bundle.resolve().name)


if __name__ == "__main__":
    run_app(app)
