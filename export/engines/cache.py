"""The timing cache: what a build measured of kernels on this GPU, so that the next one need not measure it again."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import InputError
from ...runtime.files import check_place, os_sentence, whole_or_nothing


def read_timing_cache(path: Path) -> bytes:
    """The cache in `path`, empty where there is none yet. Raises OutputError where it could not be kept there,
    InputError where it cannot be read."""
    check_place(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"the timing cache {path} cannot be read: {os_sentence(error)}") from None


def write_timing_cache(path: Path, data: bytes) -> None:
    """Replace the cache in `path`. Raises OutputError."""
    with whole_or_nothing(path) as partial:
        partial.write_bytes(data)
