"""What is drawn onto annotated frames."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from .follow import Step

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
        self._scale = max(0.35, min(size) / 800)
        self._line = max(1, round(min(size) / 300))
        self._note = note
        self._recent: deque[float] = deque(maxlen=_SPEED_WINDOW)

    def draw(self, frame: np.ndarray, step: Step) -> None:
        """Draw what `step` says into its frame, uint8 [H, W, 3], BGR."""
        x1, y1 = round(step.box.x), round(step.box.y)
        x2, y2 = round(step.box.x + step.box.width), round(step.box.y + step.box.height)
        for color, thickness in ((_EDGE, self._line + 2), (_BOX, self._line)):
            cv2.rectangle(frame, (x1, y1), (x2, y2), color, thickness, cv2.LINE_AA)
        if step.score is not None:
            # Above the box, or inside it where the box touches the frame's upper edge.
            height = round(30 * self._scale)
            self._write(frame, f"{step.score:.2f}", max(2, x1), y1 - 6 if y1 > height + 6 else y1 + height)
        parts = [f"frame {step.number}"]
        if step.update_ms is not None:
            self._recent.append(step.update_ms)
            parts.append(f"{1e3 * len(self._recent) / sum(self._recent):.1f} frames/s")
        if self._note:
            parts.append(self._note)
        self._write(frame, "   ".join(parts), 8, frame.shape[0] - round(10 * self._scale) - 4)

    def _write(self, frame: np.ndarray, text: str, x: int, y: int) -> None:
        # An edge of the same strokes, shifted: thicker ones are also wider in some releases of OpenCV.
        edge = [((x + dx, y + dy), _EDGE) for dx in (-1, 1) for dy in (-1, 1)]
        for place, color in [*edge, ((x, y), _TEXT)]:
            cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, self._scale, color, self._line, cv2.LINE_AA)
