"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


def check_place(path: Path) -> None:
    """Raise OutputError unless a file can be made, or replaced, at `path`."""
    folder = path.absolute().parent
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file")
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be written: the folder {folder} is not writable; choose another")


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, for the block to write to.

    It takes the place of `path` when the block ends; after an error it is gone, and `path` holds what it held.
    """
    path = path.resolve()  # a link stays, what it leads to is replaced
    # The suffix stays last: video libraries choose the container by it.
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
