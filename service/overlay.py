"""What is drawn onto annotated frames."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from ..runtime.geometry import Box
from .colors import target_color
from .follow import Step
from .latency import Latency
from .targets.state import TargetState
from .views import FrameResult, TargetResult

_BOX = (60, 220, 255)
_TEXT = (255, 255, 255)
_EDGE = (0, 0, 0)
_SPEED_WINDOW = 25
"""Updates that the shown speed is the mean of: fewer flicker, more lag behind."""


class Overlay:
    """Draws the box, its score, the frame's number and the tracker's speed onto frames of one size.

    note: a word of warning for every frame, or an empty string.
    """

    def __init__(self, size: tuple[int, int], note: str = "") -> None:
        self._pen = Pen(size)
        self._note = note
        self._recent: deque[float] = deque(maxlen=_SPEED_WINDOW)

    def draw(self, frame: np.ndarray, step: Step) -> None:
        """Draw what `step` says into its frame, uint8 [H, W, 3], BGR."""
        self._pen.box(frame, step.box, _BOX)
        if step.score is not None:
            self._pen.above(frame, step.box, f"{step.score:.2f}")
        parts = [f"frame {step.number}"]
        if step.update_ms is not None:
            self._recent.append(step.update_ms)
            parts.append(f"{1e3 * len(self._recent) / sum(self._recent):.1f} frames/s")
        if self._note:
            parts.append(self._note)
        self._pen.below(frame, "   ".join(parts))


class LiveOverlay:
    """Draws every target with its name, score and state, and the latency, onto frames of any size.

    A target in doubt has a broken line; a lost one has no box, and stands in the list at the upper edge.
    """

    def __init__(self, note: str = "") -> None:
        self._note = note
        self._latency = Latency(window=4 * _SPEED_WINDOW)

    def draw(self, frame: np.ndarray, result: FrameResult) -> None:
        """Draw `result` into its frame, uint8 [H, W, 3], BGR."""
        self._latency.add(result.captured + result.latency_ms / 1e3, result.latency_ms, {})
        pen = Pen((frame.shape[1], frame.shape[0]))
        row = 0
        for target in result.targets:
            if target.box is None:
                pen.list(frame, f"{target.name}: {target.state}", row)
                row += 1
            else:
                color = target_color(target.id)[::-1]
                pen.box(frame, target.box, color, broken=target.state is TargetState.UNCERTAIN)
                pen.above(frame, target.box, _label(target))
        summary = self._latency.summary()
        parts = [f"frame {result.number}"]
        if summary.capture_to_box is not None and summary.in_window > 1:
            spread = summary.capture_to_box
            parts.append(f"{summary.frames_per_second:.1f} frames/s")
            parts.append(f"capture to box {spread.median:.0f} ms, p99 {spread.p99:.0f} ms")
        parts += [self._note] if self._note else []
        pen.below(frame, "   ".join(parts))


def _label(target: TargetResult) -> str:
    score = "" if target.score is None else f" {target.score:.2f}"
    doubt = "" if target.state is TargetState.TRACKING else f" {target.state}"
    # OpenCV's letters are ASCII: others would be drawn as question marks, one for each byte.
    return target.name.encode("ascii", "replace").decode() + score + doubt


class Pen:
    """Lines and letters that suit frames of `size`, width and height in pixels. Colours are BGR."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._scale = max(0.35, min(size) / 800)
        self._line = max(1, round(min(size) / 300))

    def box(self, frame: np.ndarray, box: Box, color: tuple[int, ...], broken: bool = False) -> None:
        x1, y1 = round(box.x), round(box.y)
        x2, y2 = round(box.x + box.width), round(box.y + box.height)
        for shade, thickness in ((_EDGE, self._line + 2), (color, self._line)):
            if broken:
                self._corners(frame, (x1, y1, x2, y2), shade, thickness)
            else:
                cv2.rectangle(frame, (x1, y1), (x2, y2), shade, thickness, cv2.LINE_AA)

    def above(self, frame: np.ndarray, box: Box, text: str) -> None:
        """Above the box, or inside it where the box touches the frame's upper edge."""
        height, y = round(30 * self._scale), round(box.y)
        self._write(frame, text, max(2, round(box.x)), y - 6 if y > height + 6 else y + height)

    def below(self, frame: np.ndarray, text: str) -> None:
        self._write(frame, text, 8, frame.shape[0] - round(10 * self._scale) - 4)

    def list(self, frame: np.ndarray, text: str, row: int) -> None:
        text = text.encode("ascii", "replace").decode()
        self._write(frame, text, 8, round((row + 1) * 34 * self._scale) + 4)

    def _corners(self, frame: np.ndarray, edges: tuple[int, ...], color: tuple[int, ...], thickness: int) -> None:
        x1, y1, x2, y2 = edges
        dx, dy = (x2 - x1) // 4, (y2 - y1) // 4
        for x, toward_x in ((x1, dx), (x2, -dx)):
            for y, toward_y in ((y1, dy), (y2, -dy)):
                cv2.line(frame, (x, y), (x + toward_x, y), color, thickness, cv2.LINE_AA)
                cv2.line(frame, (x, y), (x, y + toward_y), color, thickness, cv2.LINE_AA)

    def _write(self, frame: np.ndarray, text: str, x: int, y: int) -> None:
        # An edge of the same strokes, shifted: thicker ones are also wider in some releases of OpenCV.
        edge = [((x + dx, y + dy), _EDGE) for dx in (-1, 1) for dy in (-1, 1)]
        for place, color in [*edge, ((x, y), _TEXT)]:
            cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, self._scale, color, self._line, cv2.LINE_AA)
