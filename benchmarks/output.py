"""A report as a JSON file: whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..runtime.errors import BenchmarkError
from ..runtime.manifest import to_json


def check_output(path: Path) -> None:
    """Refuse a place that cannot be written before minutes of measuring. Raises BenchmarkError."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise BenchmarkError(f"{path} cannot be written: there is no folder {folder}; make it first")
    if path.is_dir():
        raise BenchmarkError(f"{path} is a folder; give --json the path of a file")
    if not os.access(folder, os.W_OK):
        raise BenchmarkError(f"{path} cannot be written: the folder {folder} is not writable; choose another place")


def write_json(path: Path, report: Any) -> None:
    """Write a dataclass (or a list or dict of them). Raises OSError; the old file stays until the new one is whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(json.dumps(to_json(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
