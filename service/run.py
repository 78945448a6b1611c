"""What `ostrack-track run` does: check, track, write, and give account of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..datasets.boxes import TRUTH_NAME, write_boxes
from ..datasets.footage import Footage, open_footage
from ..datasets.recording import record_video
from ..datasets.success import agreement
from ..runtime.backends import Backend
from ..runtime.backends.select import available
from ..runtime.bundle import Bundle
from ..runtime.errors import FootageError, InputError
from ..runtime.geometry import Box, check_box
from ..runtime.manifest import Precision
from ..runtime.tracker import Tracker
from .follow import Track, Watcher, follow
from .outputs import check_outputs
from .overlay import Overlay


@dataclass(frozen=True)
class TrackingJob:
    """What `ostrack-track run` was asked for; None where it was not."""

    video: Path
    bundle: Path
    init: Box | None = None
    out: Path | None = None
    results: Path | None = None
    backend: str = "auto"
    precision: Precision | None = None
    threads: int | None = None
    allow_truncated: bool = False


def run_job(job: TrackingJob) -> list[str]:
    """Track, write what was asked for, and give the lines of the summary.

    Raises an OSTrackEdgeError where anything fails; nothing is written then.
    """
    with open_footage(job.video, job.allow_truncated) as footage:
        check_outputs(footage, job.out, job.results)
        init = first_box(footage, job.init)
        bundle = Bundle.open(job.bundle)
        tracker = Tracker.load(bundle, job.backend, "bgr", job.precision, job.threads)
        track = _track_and_write(job, footage, tracker, init, "" if bundle.manifest.trained else "made-up weights")
        return [
            _speed_line(job, track),
            _backend_line(job, bundle, tracker.backend),
            *_truth_lines(job, footage, track),
            *_warnings(footage, track, bundle.manifest.trained),
            *(f"wrote {path}" for path in (job.out, job.results) if path is not None),
        ]


def first_box(footage: Footage, init: Box | None) -> Box:
    """The box to start from: `init`, or the first of the ground truth. Raises InputError where there is neither."""
    if init is not None:
        return init
    if footage.truth is None:
        raise InputError(
            f"{footage.path} has no ground truth beside it (NAME.{TRUTH_NAME} or {TRUTH_NAME}); "
            "say where the target is in the first frame with --init X,Y,W,H"
        )
    return check_box(footage.truth[0], f"the first box of {footage.truth_file}")


def _track_and_write(job: TrackingJob, footage: Footage, tracker: Tracker, init: Box, note: str) -> Track:
    with ExitStack() as stack:
        watchers: list[Watcher] = [stack.enter_context(_progress(footage))]
        recording = None
        if job.out is not None:
            recording = stack.enter_context(record_video(job.out, footage.size, footage.fps))
            write = recording.write
            watchers += [Overlay(footage.size, note).draw, lambda frame, step: write(frame)]
        track = follow(tracker, footage, init, watchers)
        # The video is counted before the results are written, and takes its name after: both appear, or neither.
        if recording is not None:
            recording.finish()
        if job.results is not None:
            write_boxes(job.results, track.boxes)
    return track


@contextmanager
def _progress(footage: Footage) -> Iterator[Watcher]:
    """A bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("tracking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=footage.frame_count)
        yield lambda frame, step: bar.update(task, completed=step.number + 1)


def _speed_line(job: TrackingJob, track: Track) -> str:
    count = len(track.steps)
    line = (
        f"tracked {count} frame{'s' if count > 1 else ''} of {job.video} in {track.seconds:.1f} s: "
        f"{count / track.seconds:.1f} frames/s with reading{' and writing' if job.out else ''}"
    )
    updates = [step.update_ms for step in track.steps if step.update_ms is not None]
    return f"{line}; one update takes {median(updates):.1f} ms (median)" if updates else line


def _backend_line(job: TrackingJob, bundle: Bundle, backend: Backend) -> str:
    why = "as asked for"
    if job.backend == "auto":
        passed_over = [f"{c.name} was passed over: {c.reason}" for c in available(bundle) if not c.usable]
        why = "; ".join(["auto: the first that can run the bundle here", *passed_over])
    details = ", ".join(f"{name} {value}" for name, value in backend.describe().items())
    return f"backend {backend.name} ({why}): {details}"


def _truth_lines(job: TrackingJob, footage: Footage, track: Track) -> list[str]:
    try:
        truth = footage.truth
    except FootageError as error:
        # Whoever gave --init did not ask for the truth; a damaged file beside the footage must not cost the run.
        return [f"not compared with the ground truth: {error}"]
    if truth is None:
        return []
    found = agreement(track.boxes, truth)
    if found is None:
        return [f"not compared with {footage.truth_file}: it names no box in any frame"]
    lines = "" if len(truth) == len(track.steps) else f" (it has {len(truth)} lines)"
    return [
        f"against {footage.truth_file}: mean IoU {found.mean_iou:.3f}, success {found.success:.3f} "
        f"over {found.frames} of {len(track.steps)} frames{lines}"
    ]


def _warnings(footage: Footage, track: Track, trained: bool) -> list[str]:
    lines = []
    announced = footage.frame_count
    if announced is not None and len(track.steps) < announced:
        lines.append(f"the footage ended after {len(track.steps)} of the {announced} frames that it announces")
    if not trained:
        lines.append("the bundle holds made-up weights: its boxes mean nothing, only its times do")
    return lines
