"""Folders of images with a groundtruth.txt each: TNL2K (Wang et al., CVPR 2021), ITB (Li et al., 2021), anybody's own.

None of them flags absent targets apart from the truth: rows of NaN say so, rows without area are left to the protocol.
"""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import FootageError
from ..boxes import TRUTH_NAME
from ..footage import DEFAULT_FPS
from ..images import image_names
from ..sequence import Dataset, Sequence
from .layout import Layout, check_lengths, found_at, image_frames, not_annotated, read_truth, subfolders
from .selection import Selection

_FPS = 30.0
"""TNL2K and ITB are videos at about this rate; neither says more."""

_FOLDERS_WANTED = "NAME/groundtruth.txt with images in NAME/img or NAME, for one sequence or for several"
_TNL2K_WANTED = "NAME/groundtruth.txt with images in NAME/imgs"
_ITB_WANTED = "SCENARIO/NAME/groundtruth.txt with images in SCENARIO/NAME"


def _has_truth(folder: Path) -> bool:
    return (folder / TRUTH_NAME).is_file()


def _sequence(
    folder: Path, images: Path, dataset: str, category: str | None, fps: float, allow_truncated: bool
) -> Sequence:
    truth = read_truth(folder / TRUTH_NAME)
    frames = image_frames(images, allow_truncated)
    check_lengths(frames, truth, folder / TRUTH_NAME)
    return Sequence(folder.absolute().name, dataset, category, frames, truth, not_annotated(truth), fps=fps)


# ---- anybody's own


def _images(folder: Path) -> Path:
    return folder / "img" if (folder / "img").is_dir() else folder


def _recognises_folders(root: Path) -> bool:
    return any(_has_truth(f) and image_names(_images(f)) for f in [root, *subfolders(root)])


def _read_folders(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    folders = [root] if _has_truth(root) else [f for f in subfolders(root) if _has_truth(f) or image_names(_images(f))]
    if not folders:
        raise FootageError(f"{root} holds no sequences: looked for {_FOLDERS_WANTED}, {found_at(root)}")
    # `absolute`: a folder given as "." has no name of its own.
    folders = selection.choose(root, folders, lambda f: f.absolute().name)
    return Dataset(
        "folders",
        root,
        tuple(_sequence(f, _images(f), "folders", None, DEFAULT_FPS, allow_truncated) for f in folders),
    )


# ---- TNL2K


def _recognises_tnl2k(root: Path) -> bool:
    return any(_has_truth(child) and (child / "imgs").is_dir() for child in subfolders(root))


def _read_tnl2k(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    folders = [child for child in subfolders(root) if (child / "imgs").is_dir()]
    if not folders:
        raise FootageError(f"{root} is not laid out as TNL2K: looked for {_TNL2K_WANTED}, {found_at(root)}")
    folders = selection.choose(root, folders, lambda f: f.name)
    return Dataset(
        "tnl2k", root, tuple(_sequence(f, f / "imgs", "tnl2k", None, _FPS, allow_truncated) for f in folders)
    )


# ---- ITB


def _recognises_itb(root: Path) -> bool:
    return any(_has_truth(f) and image_names(f) for child in subfolders(root)[:3] for f in subfolders(child)[:1])


def _read_itb(root: Path, allow_truncated: bool, selection: Selection) -> Dataset:
    folders = [f for child in subfolders(root) for f in subfolders(child) if _has_truth(f) or image_names(f)]
    if not any(map(_has_truth, folders)):
        raise FootageError(f"{root} is not laid out as ITB: looked for {_ITB_WANTED}, {found_at(root)}")
    folders = selection.choose(root, folders, lambda f: f.name)
    return Dataset("itb", root, tuple(_sequence(f, f, "itb", f.parent.name, _FPS, allow_truncated) for f in folders))


FOLDERS = Layout("folders", "folders of images", _FOLDERS_WANTED, _recognises_folders, _read_folders)
TNL2K = Layout("tnl2k", "TNL2K", _TNL2K_WANTED, _recognises_tnl2k, _read_tnl2k)
ITB = Layout("itb", "ITB", _ITB_WANTED, _recognises_itb, _read_itb)
