"""The VOT challenges' data: list.txt, and per sequence a folder with images, regions and what else is known of it.

https://www.votchallenge.net; the conventions are those of its toolkit (vot.dataset).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import numpy as np

from ...runtime.errors import FootageError
from ..images import image_names
from ..sequence import Dataset, ImageFrames, Sequence
from .layout import Layout, found_at, image_frames, read_names, read_pairs, read_text, read_values
from .regions import NO_BOX, Region, parse_region
from .selection import Selection

_FPS = 30.0

_CHANNELS = ("color", "ir", "depth")
"""Kinds of images in the order in which they are taken: a challenge on infrared has no colour."""

_WANTED = "list.txt (there or in sequences/), and per name in it color/*.jpg or *.jpg with groundtruth.txt"


def _place(root: Path) -> Path | None:
    """Where the sequences lie: the folder itself, or that of a toolkit's workspace."""
    return next((f for f in (root, root / "sequences") if (f / "list.txt").is_file()), None)


def _truth_files(folder: Path) -> list[Path]:
    """One for a single target, groundtruth_ID.txt each for several."""
    return sorted(folder.glob("groundtruth_*.txt")) or [folder / "groundtruth.txt"]


def _recognises(root: Path) -> bool:
    place = _place(root)
    return place is not None and _truth_files(place / read_names(place / "list.txt")[0])[0].is_file()


def _read(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    place = _place(root)
    if place is None:
        raise FootageError(f"{root} is not laid out as VOT: looked for {_WANTED}, {found_at(root)}")
    folders = [place / name for name in read_names(place / "list.txt")]
    truth_files = selection.choose(root, [path for folder in folders for path in _truth_files(folder)], _name)
    by_folder = groupby(truth_files, key=lambda path: path.parent)
    return Dataset("vot", root, tuple(s for folder, own in by_folder for s in _sequences(folder, own, allow_truncated)))


def _name(truth_file: Path) -> str:
    target = truth_file.stem.partition("groundtruth_")[2]
    return f"{truth_file.parent.name}_{target}" if target else truth_file.parent.name


def _sequences(folder: Path, truth_files: Iterable[Path], allow_truncated: bool) -> list[Sequence]:
    if not folder.is_dir():
        raise FootageError(f"{folder} is not there, though list.txt beside it names it; get it, or take out the line")
    files = [folder / name for name in ("sequence", "sequence.ini") if (folder / name).is_file()]
    facts = read_pairs(files[0], "=") if files else {}
    frames = image_frames(_images(folder, facts), allow_truncated, _size(facts))
    return [_sequence(folder, truth_file, frames, facts) for truth_file in truth_files]


def _sequence(folder: Path, truth_file: Path, frames: ImageFrames, facts: dict[str, str]) -> Sequence:
    regions = _read_regions(truth_file, len(frames))
    annotated = len(regions)
    if 1 < annotated < len(frames):
        # Beyond its last line nothing is known, says the toolkit: those frames are not annotated, nor absent.
        regions += [Region(NO_BOX)] * (len(frames) - annotated)
    empty = np.array([region.empty for region in regions])
    return Sequence(
        name=_name(truth_file),
        dataset="vot",
        category=None,
        frames=frames,
        truth=np.stack([region.box for region in regions]),
        absent=empty & (np.arange(len(regions)) < annotated),
        polygons=_polygons(regions),
        anchors=_anchors(folder, len(regions)),
        fps=_fps(facts),
    )


def _read_regions(path: Path, frame_count: int) -> list[Region]:
    lines = read_text(path).rstrip().splitlines()
    if not lines or len(lines) > frame_count:
        raise FootageError(f"{path} holds {len(lines)} regions for {frame_count} frames; get a whole copy of it")
    return [parse_region(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _polygons(regions: list[Region]) -> tuple[np.ndarray | None, ...] | None:
    polygons = tuple(region.polygon for region in regions)
    return polygons if any(polygon is not None for polygon in polygons) else None


def _anchors(folder: Path, count: int) -> np.ndarray | None:
    """The starting points of the 2020 protocol, 1 forwards and -1 backwards: int8 [count], None where none are."""
    path = folder / "anchor.value"
    if not path.is_file():
        return None
    anchors = np.zeros(count, np.int8)
    values = read_values(path)[:count]
    anchors[: len(values)] = np.sign(values)
    return anchors


def _images(folder: Path, facts: dict[str, str]) -> Path:
    """The folder of the first channel that the sequence names, else color/, else its own (until 2016)."""
    for channel in _CHANNELS:
        named = facts.get(f"channels.{channel}")
        if named is not None:
            # A pattern such as color/%08d.jpg, or the folder alone; the toolkit runs on systems with either slash.
            path = folder / named.replace("\\", "/")
            return path.parent if path.suffix else path
    return folder / "color" if image_names(folder / "color") else folder


def _size(facts: dict[str, str]) -> tuple[int, int] | None:
    width, height = facts.get("width", ""), facts.get("height", "")
    return (int(width), int(height)) if width.isdecimal() and height.isdecimal() else None


def _fps(facts: dict[str, str]) -> float:
    try:
        fps = float(facts.get("fps", _FPS))
    except ValueError:
        return _FPS
    return fps if fps > 0 else _FPS


VOT = Layout("vot", "VOT", _WANTED, _recognises, _read)
