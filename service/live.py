"""A session from what a command line asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..models import default_bundle
from ..runtime.errors import InputError
from ..runtime.geometry import Box
from ..runtime.manifest import read_manifest
from .bundles import BundleChoice, BundleShelf
from .session import Session, SessionSettings
from .sinks.base import Sink
from .sources.address import source_from
from .sources.base import Source
from .sources.files import FileSource
from .targets.state import Thresholds

_FILM_RATE = 25.0
"""Frames per second of a film of a source that names no rate."""


@dataclass(frozen=True)
class LiveOptions:
    """source: an address (see `sources.address`); bundles: `NAME=FOLDER` or `FOLDER`, none for the default model;
    init: boxes in the first frame, pixels; out: the annotated video; results: files by their ends, .jsonl, .csv, .txt,
    or `-`; mqtt, webhook: addresses."""

    source: str
    bundles: tuple[str, ...] = ()
    init: tuple[Box, ...] = ()
    out: Path | None = None
    results: tuple[Path, ...] = ()
    mqtt: str | None = None
    webhook: str | None = None
    backend: str = "auto"
    precision: str | None = None
    threads: int | None = None
    max_targets: int = 8
    thresholds: Thresholds = field(default_factory=Thresholds)


def make_session(options: LiveOptions) -> Session:
    """A session that is ready to start. Raises an OSTrackEdgeError for what cannot be used; nothing is opened yet."""
    source = source_from(options.source)
    choices = [BundleChoice.parse(text) for text in options.bundles] or [BundleChoice("edge", default_bundle())]
    trained = read_manifest(choices[0].folder).trained
    sinks = make_sinks(options, source, "" if trained else "made-up weights")
    settings = SessionSettings(
        thresholds=options.thresholds,
        max_targets=options.max_targets,
        every_frame=isinstance(source, FileSource) and not source.realtime,
        first_targets=tuple(("", box) for box in options.init),
    )
    if len(options.init) > options.max_targets:
        raise InputError(f"{len(options.init)} targets are given and at most {options.max_targets} may be followed")
    return Session(source, BundleShelf(choices, options.backend, options.threads, options.precision), settings, sinks)


def make_sinks(options: LiveOptions, source: Source, note: str = "") -> list[Sink]:
    """The sinks that were asked for. Raises InputError where two of them, or one and the source, are one file."""
    from .sinks.text import line_sink

    files = [path for path in (options.out, *options.results) if path is not None and str(path) != "-"]
    _check_different([*files, *([source.path] if isinstance(source, FileSource) else [])])
    sinks: list[Sink] = [line_sink(path) for path in options.results]
    if options.out is not None:
        from .sinks.video import VideoSink

        sinks.append(VideoSink(options.out, source.fps or _FILM_RATE, note))
    if options.mqtt is not None:
        from .sinks.mqtt import MqttAddress, MqttSink

        sinks.append(MqttSink(MqttAddress.parse(options.mqtt)))
    if options.webhook is not None:
        from .sinks.webhook import WebhookSink

        sinks.append(WebhookSink(options.webhook))
    return sinks


def _check_different(paths: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise InputError(f"{path} is named twice; give every file a name of its own")
        seen.add(path.resolve())
