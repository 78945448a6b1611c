"""Every layout of benchmark data that can be read, and the one call that opens any of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..runtime.errors import FootageError, InputError
from .layouts.davis import DAVIS
from .layouts.folders import FOLDERS, ITB, TNL2K
from .layouts.got10k import GOT10K
from .layouts.lasot import LASOT, LASOT_EXT, LASOT_TRAIN
from .layouts.layout import Layout, found_at
from .layouts.nfs import NFS, NFS240
from .layouts.otb import OTB
from .layouts.selection import Selection
from .layouts.trackingnet import TRACKINGNET, TRACKINGNET_TRAIN
from .layouts.uav123 import UAV20L, UAV123
from .layouts.video import VIDEO
from .layouts.vot import VOT
from .sequence import Dataset

LAYOUTS: tuple[Layout, ...] = (
    GOT10K,
    VOT,
    TRACKINGNET,
    TRACKINGNET_TRAIN,
    UAV123,
    UAV20L,
    NFS,
    NFS240,
    OTB,
    TNL2K,
    LASOT,
    LASOT_TRAIN,
    LASOT_EXT,
    DAVIS,
    FOLDERS,
    ITB,
    VIDEO,
)
"""In the order in which they are tried on data without a prefix: the more particular ones first."""

_PREFIXES = {layout.prefix: layout for layout in LAYOUTS}


def open_dataset(
    spec: str | Path, allow_truncated: bool = False, *, only: Iterable[str] = (), skip: Iterable[str] = ()
) -> Dataset:
    """The sequences that `spec` names: PREFIX:PATH, such as got10k:/data/GOT-10k/val, or a path alone.

    Truth is read, and frames are listed but not opened. Without a prefix the layout is recognised. allow_truncated:
    take JPEG files and videos that end early as they are. only: sequences by name, none for all; skip: those to leave
    out; what is not taken may be damaged. Raises InputError for an unknown prefix or name, and where no sequence is
    left, and FootageError where the data are not laid out as expected or not whole.
    """
    prefix, path = _split(str(spec))
    if not path.exists():
        raise FootageError(f"{path} does not exist; give the folder of a data set, as in got10k:/data/GOT-10k/val")
    layout = _PREFIXES[prefix] if prefix else _recognise(path)
    return layout.read(path, allow_truncated, Selection(frozenset(only), frozenset(skip)))


def _split(spec: str) -> tuple[str | None, Path]:
    """Prefix, or None, and path. One letter before a colon is a drive."""
    match = re.match(r"([A-Za-z][A-Za-z0-9_-]+):", spec)
    if not match:
        return None, Path(spec).expanduser()
    prefix, rest = match[1].lower(), spec[match.end() :]
    if prefix in _PREFIXES:
        if not rest:
            raise InputError(f"{spec} names no folder; write it as {prefix}:/path/to/the/data")
        return prefix, Path(rest).expanduser()
    if Path(spec).exists():
        return None, Path(spec)
    raise InputError(f"{match[1]!r} in {spec} is no layout of data; known are: {', '.join(sorted(_PREFIXES))}")


def _recognise(path: Path) -> Layout:
    for layout in LAYOUTS:
        if layout.recognises(path):
            return layout
    known = "; ".join(f"{layout.prefix}: {layout.wanted}" for layout in LAYOUTS)
    raise FootageError(
        f"{path} is laid out like no data set that is known: {found_at(path)}, looked for {known}; name its layout "
        f"before it, as in folders:{path}"
    )
