"""Fixed buffers of an ONNX Runtime session, on the CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..network import NetworkGeometry
from .base import SearchResult

CPU = "cpu"
_TYPES = {"tensor(uint8)": np.uint8, "tensor(float16)": np.float16, "tensor(float)": np.float32}


class SearchBinding:
    """Inputs and outputs of the search session for one batch size, bound once; `result` holds the outputs' arrays.

    On a GPU (`device` is not "cpu") inputs lie there, and the features of a target are used where they are.
    """

    def __init__(
        self, ort: Any, session: Any, outputs: Sequence[str], network: NetworkGeometry, batch: int, device: str = CPU
    ) -> None:
        self.batch = batch
        self.io = session.io_binding()
        self._device = device
        self._buffers: dict[str, np.ndarray] = {}
        self._values: dict[str, Any] = {}
        # The features' shapes are the graph's own: what a design caches of its target is its own affair.
        for item in session.get_inputs():
            if device != CPU and item.name not in ("search", "window"):
                continue
            shape = [batch if not isinstance(n, int) else n for n in item.shape]
            self._buffers[item.name] = buffer = np.zeros(shape, _TYPES[item.type])
            place = () if device == CPU else (device, 0)
            self._values[item.name] = value = ort.OrtValue.ortvalue_from_numpy(buffer, *place)
            self.io.bind_ortvalue_input(item.name, value)
        found: dict[str, np.ndarray] = {}
        for name in outputs:
            shape, dtype = [batch, 4] if name == "box" else [batch], np.float32
            if name.startswith("kept_"):
                shape, dtype = [batch, network.kept_counts[int(name[5:])]], np.int32
            found[name] = np.zeros(shape, dtype)
            # On the CPU in either case: whoever asked reads them there.
            self._values[name] = value = ort.OrtValue.ortvalue_from_numpy(found[name])
            self.io.bind_ortvalue_output(name, value)
        self.result = SearchResult(found["box"], found["score"], tuple(found[n] for n in outputs[2:]))
        self._features: object = None

    def fill(self, features: Mapping[str, Any], search: np.ndarray, window: np.ndarray) -> None:
        """features: arrays on the CPU, values that lie on the device elsewhere."""
        self._put("search", search)
        self._put("window", window)
        if features is self._features:
            return
        for name, given in features.items():
            if self._device == CPU:
                np.copyto(self._buffers[name], given)
            else:
                self.io.bind_ortvalue_input(name, given)
        self._features = features

    def _put(self, name: str, array: np.ndarray) -> None:
        # Into a buffer of the right type first: a wrong one is refused, not converted.
        np.copyto(self._buffers[name], array, casting="no")
        if self._device != CPU:
            self._values[name].update_inplace(self._buffers[name])
