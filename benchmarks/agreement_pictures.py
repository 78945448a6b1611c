"""The frames in which two engines agree least, as pictures: both boxes on the part of the frame around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..datasets.footage import Footage
from ..runtime.errors import OutputError
from ..runtime.files import whole_or_nothing
from ..runtime.opencv import cv2
from .agreement import AgreementReport, FrameAgreement

AROUND = 3.0
"""Side of the picture over that of the square around both boxes."""

SIDE = 480
"""Of the picture, pixels."""

_BOX = (60, 220, 255)
_AGAINST = (255, 170, 60)
_EDGE = (0, 0, 0)
_TEXT = (255, 255, 255)


def write_pictures(report: AgreementReport, footage: Footage, folder: Path, count: int = 8) -> list[Path]:
    """Write the `count` worst frames to `folder`, which is made, as `worst_01_frame_000123.jpg`, and give their paths.

    Raises OutputError where a picture cannot be written, FootageError where a frame cannot be read again.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give the name of a folder for the pictures")
    folder.mkdir(parents=True, exist_ok=True)
    places = {found.frame: place for place, found in enumerate(report.worst(count), 1)}
    by_frame = {found.frame: found for found in report.frames}
    last, written = max(places, default=-1), []
    for number, frame in enumerate(footage):
        if number in places:
            path = folder / f"worst_{places[number]:02d}_frame_{number:06d}.jpg"
            _write(path, draw(frame, by_frame[number], report))
            written.append(path)
        if number >= last:
            break
    return sorted(written)


def draw(frame: np.ndarray, found: FrameAgreement, report: AgreementReport) -> np.ndarray:
    """uint8 [SIDE, SIDE, 3], BGR: both boxes from the same state, what each is, and how far they overlap.

    frame: uint8 [H, W, 3], BGR.
    """
    boxes = np.asarray([found.against_box, found.box])
    low, high = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    side = float(max(16.0, AROUND * (high - low).max()))
    corner = (low + high) / 2 - side / 2
    scale = SIDE / side
    matrix = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    picture = cv2.warpAffine(frame, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    # The baseline wider and below, so that two equal boxes show both colours.
    for box, color, width in ((boxes[0], _AGAINST, 5), (boxes[1], _BOX, 2)):
        x1, y1 = np.rint(scale * (box[:2] - corner)).astype(int).tolist()
        x2, y2 = np.rint(scale * (box[:2] + box[2:] - corner)).astype(int).tolist()
        cv2.rectangle(picture, (x1, y1), (x2, y2), color, width, cv2.LINE_AA)
    cell = "same cell" if found.same_cell else "another cell"
    _text(picture, f"frame {found.frame}  IoU {found.iou:.3f}  {cell}", 20, _TEXT)
    _text(picture, f"{report.name}  {found.score:.2f}", SIDE - 28, _BOX)
    _text(picture, f"{report.against}  {found.against_score:.2f}", SIDE - 10, _AGAINST)
    return picture


def _text(picture: np.ndarray, text: str, y: int, color: tuple[int, int, int]) -> None:
    for dx, dy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        cv2.putText(picture, text, (8 + dx, y + dy), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _EDGE, 1, cv2.LINE_AA)
    cv2.putText(picture, text, (8, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, 1, cv2.LINE_AA)


def _write(path: Path, picture: np.ndarray) -> None:
    encoded, data = cv2.imencode(".jpg", picture)
    if not encoded:
        raise OutputError(f"{path} cannot be written: OpenCV does not encode JPEG here")
    with whole_or_nothing(path) as partial:
        partial.write_bytes(data.tobytes())
