"""Footage: where frames come from, and the truth beside them.

`Scene` renders a clip, `open_footage` reads a video file or a folder of images, `record_video` writes one; `read_boxes`
and `write_boxes` hold ground truth and results, `agreement` compares the two. `open_dataset` reads the sequences of a
benchmark, in the layout of its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .boxes import read_boxes, truth_path, write_boxes
    from .footage import Footage, open_footage
    from .recording import Recording, record_video
    from .registry import open_dataset
    from .scene import Scene
    from .sequence import Dataset, Sequence
    from .success import Agreement, agreement, iou

__all__ = [
    "Agreement",
    "Dataset",
    "Footage",
    "Recording",
    "Scene",
    "Sequence",
    "agreement",
    "iou",
    "open_dataset",
    "open_footage",
    "read_boxes",
    "record_video",
    "truth_path",
    "write_boxes",
]

_HOMES = {
    "boxes": ("read_boxes", "truth_path", "write_boxes"),
    "footage": ("Footage", "open_footage"),
    "recording": ("Recording", "record_video"),
    "registry": ("open_dataset",),
    "scene": ("Scene",),
    "sequence": ("Dataset", "Sequence"),
    "success": ("Agreement", "agreement", "iou"),
}


def __getattr__(name: str) -> object:
    # Most of them need OpenCV, boxes do not; and `scene` also runs as a module, which must not be imported before.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
