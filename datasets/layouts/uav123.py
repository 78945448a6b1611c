"""UAV123 and UAV20L (Müller et al., ECCV 2016): anno/UAV123/NAME.txt and data_seq/UAV123/FOLDER/000001.jpg, ..."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from ...runtime.errors import FootageError
from ..sequence import Dataset, Sequence
from .layout import Layout, entry_names, found_at, not_annotated, numbered_frames, read_truth
from .selection import Selection

_FPS = 30.0

_PARTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "bird1": (1, 775, 1573),
        "car1": (1, 751, 1627),
        "car16": (1, 415),
        "car6": (1, 487, 1807, 2953, 3925),
        "car8": (1, 1357),
        "group1": (1, 1333, 2515, 3925),
        "group2": (1, 907, 1771),
        "group3": (1, 1567, 2827, 4369),
        "person12": (1, 601),
        "person14": (1, 847, 1813),
        "person17": (1, 1501),
        "person19": (1, 1243, 2791),
        "person2": (1, 1189),
        "person4": (1, 1501),
        "person5": (1, 877),
        "person7": (1, 1249),
        "person8": (1, 1075),
        "truck4": (1, 577),
        "uav1": (1, 1555, 2473),
    }
)
"""First frames of the sequences NAME_1, NAME_2, ... that UAV123 cuts from one folder, as its configSeqs gives them."""

_WANTED = "anno/UAV123/NAME.txt (anno/UAV20L for uav20l) and data_seq/UAV123/NAME/000001.jpg, ..."


def _recognises(root: Path, version: str) -> bool:
    return (root / "anno" / version).is_dir() and (root / "data_seq" / "UAV123").is_dir()


def _read(root: Path, allow_truncated: bool, selection: Selection, version: str) -> Dataset:
    if not _recognises(root, version):
        raise FootageError(f"{root} is not laid out as {version}: looked for {_WANTED}, {found_at(root)}")
    names = [name[:-4] for name in entry_names(root / "anno" / version) if name.endswith(".txt")]
    if not names:
        raise FootageError(f"{root / 'anno' / version} holds no truth: looked for NAME.txt; get a whole copy")
    names = selection.choose(root, names, str)
    return Dataset(version.lower(), root, tuple(_sequence(root, version, name, allow_truncated) for name in names))


def _sequence(root: Path, version: str, name: str, allow_truncated: bool) -> Sequence:
    truth = read_truth(root / "anno" / version / f"{name}.txt")
    folder, first = _place(name)
    # A sequence ends with its truth: the images of its folder often go on.
    numbers = range(first, first + len(truth))
    frames = numbered_frames(root / "data_seq" / "UAV123" / folder, numbers, allow_truncated)
    return Sequence(name, version.lower(), None, frames, truth, not_annotated(truth), fps=_FPS)


def _place(name: str) -> tuple[str, int]:
    """Folder and first frame of a sequence: car6_3 begins at frame 1807 of car6, car1_s has a folder of its own."""
    folder, _, part = name.rpartition("_")
    if folder in _PARTS and part.isdecimal() and 1 <= int(part) <= len(_PARTS[folder]):
        return folder, _PARTS[folder][int(part) - 1]
    return name, 1


UAV123 = Layout("uav123", "UAV123", _WANTED, partial(_recognises, version="UAV123"), partial(_read, version="UAV123"))
UAV20L = Layout("uav20l", "UAV20L", _WANTED, partial(_recognises, version="UAV20L"), partial(_read, version="UAV20L"))
