"""What counts as a frame."""

from __future__ import annotations

import numpy as np

from .errors import InputError


def check_frame(frame: object) -> np.ndarray:
    """`frame` as an array uint8 [H, W] or [H, W, C], C = 1, 3 or 4; never copied. InputError for others."""
    if not isinstance(frame, np.ndarray):
        raise InputError(
            f"a frame must be a numpy array, not {type(frame).__name__}; did the camera or video give none?"
        )
    if frame.dtype != np.uint8:
        raise InputError(f"a frame must be uint8, not {frame.dtype}; scale it to 0..255 and convert it")
    if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (1, 3, 4)):
        raise InputError(f"a frame must be [height, width] or [height, width, 1, 3 or 4], not {list(frame.shape)}")
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise InputError(f"the frame is empty: {frame.shape[1]} x {frame.shape[0]} pixels")
    return frame
