"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError

_ADVICE = {
    errno.ENOSPC: "free some space there and run it again",
    errno.EDQUOT: "free some space there and run it again",
    errno.EFBIG: "write to a place that takes larger files",
    errno.EACCES: "check its permissions or choose another place",
    errno.EPERM: "check its permissions or choose another place",
    errno.EROFS: "choose a place that can be written",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "give the path of a file",
    errno.EPIPE: "what was to read it has ended; start that again, or write to a file",
}

_OF_WRITING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""Errors that a write gives without saying which file it was."""


def os_sentence(error: OSError) -> str:
    """What the system refused, and what to do about it where that is known; without the file's name."""
    what = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0)
    return what + (f"; {advice}" if advice else "")


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

    It takes the place of `path` when the block ends; after an error it is gone, and `path` holds what it held. Raises
    OutputError, from the OSError, where the file cannot be written; an OSError about anything else goes through.
    """
    given, path = path, path.resolve()  # a link stays, what it leads to is replaced
    # The suffix stays last: video libraries choose the container by it.
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        named = error.filename
        if named == str(partial) or (named is None and error.errno in _OF_WRITING):
            raise OutputError(f"{given} cannot be written: {os_sentence(error)}") from error
        raise
    finally:
        partial.unlink(missing_ok=True)
