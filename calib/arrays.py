"""Named arrays from .npz files that anyone may have made, cut short or damaged."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    MemoryError,  # a header that names more than there is
    NotImplementedError,  # a way of compressing that no .npz has
    RuntimeError,  # entries marked as encrypted
    zipfile.BadZipFile,
    zlib.error,
)


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The arrays of these names. Raises OSError where the file cannot be opened, ValueError saying what is wrong with
    one that is damaged or lacks a name. Nothing in it is run."""
    with path.open("rb") as file:
        try:
            arrays = np.load(file, allow_pickle=False)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise ValueError("it is no .npz file")
            with arrays:
                return {name: arrays[name] for name in names}
        except _DAMAGE as error:
            raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None
