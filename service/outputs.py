"""Where a run writes to: refused before tracking rather than after it."""

from __future__ import annotations

from pathlib import Path

from ..datasets.footage import Footage
from ..datasets.recording import check_video_name
from ..runtime.errors import InputError
from ..runtime.files import check_place


def check_outputs(footage: Footage, out: Path | None, results: Path | None) -> None:
    """Raise OutputError for a place that cannot be written, FootageError for a video of an unknown kind, and InputError
    for a name whose present file is needed."""
    if out is not None:
        check_video_name(out)
    inputs = [footage.path] + ([footage.truth_file] if footage.truth_file else [])
    for option, path in (("--out", out), ("--results", results)):
        if path is None:
            continue
        for taken in inputs:
            if _same(path, taken):
                raise InputError(f"{option} {path} would replace the input {taken}; give another name")
        check_place(path)
    if out is not None and results is not None and _same(out, results):
        raise InputError(f"--out and --results both name {out}; give them two names")


def _same(a: Path, b: Path) -> bool:
    """Whether two paths are one file, through links and whether or not it exists yet."""
    return a.resolve() == b.resolve() or (a.exists() and b.exists() and a.samefile(b))
