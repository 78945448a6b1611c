"""PyTorch on a GPU behind the runtime's Backend Protocol: eager, or as a captured CUDA graph. To measure against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from ..runtime.backends import SearchResult, TargetFeatures
from ..runtime.errors import BackendError, InputError
from ..runtime.manifest import Precision
from ..runtime.network import ColorOrder, NetworkGeometry
from .graphs import SearchGraph, TemplateGraph
from .graphs.patches import IMAGENET_MEAN, IMAGENET_STD
from .model import OSTrack
from .model.elimination import box_mask
from .model.head import decode
from .reference import normalise


@dataclass(frozen=True)
class CudaRun:
    """published: the graph as released, else the exported modules; captured: as one CUDA graph; precision: FP32 without
    TF32, or FP16 by autocast; device: "cpu" for tests of all but the capture."""

    published: bool = False
    captured: bool = False
    precision: Precision = Precision.FP32
    device: str = "cuda"


_Forward = Callable[[tuple[Tensor, ...], Tensor, Tensor], list[Tensor]]
"""From a target's values, search regions and the window to what `CudaBackend._forward` gives."""


@dataclass(frozen=True, eq=False)
class _Target:
    values: tuple[Tensor, ...]


class CudaBackend:
    """PyTorch's modules on the GPU. Times are the host's, from a finished GPU to a finished GPU, so that what starting
    each kernel costs is in them."""

    batch = None

    def __init__(self, network: OSTrack, color: ColorOrder, run: CudaRun) -> None:
        """Raises BackendError where PyTorch sees no GPU, or has no such precision."""
        if run.device == "cuda" and not torch.cuda.is_available():
            raise BackendError(f"torch {torch.__version__} sees no GPU here")
        if run.precision is Precision.INT8 or (run.published and run.captured):
            raise BackendError("PyTorch runs the network in fp32 and fp16, and captures the exported modules alone")
        self.name = "pytorch"
        self.color, self._run = color, run
        # Convolutions take TF32 by themselves, which is not FP32.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        self._device = torch.device(run.device)
        self._published = network.eval().to(self._device)
        self._template = TemplateGraph(network, color).eval().to(self._device)
        self._search = SearchGraph(network, color).eval().to(self._device)
        self._mean = torch.tensor(IMAGENET_MEAN, device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD, device=self._device).view(1, 3, 1, 1)
        self._timings: dict[str, float] = {}
        self._captured: _Captured | None = None

    @property
    def network(self) -> NetworkGeometry:
        return self._published.geometry

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return self._timings

    def describe(self) -> Mapping[str, str]:
        cuda = self._device.type == "cuda"
        return {
            "library": f"torch {torch.__version__}",
            "device": torch.cuda.get_device_name(self._device) if cuda else "cpu",
            "precision": f"{self._run.precision}" + (" (autocast)" if self._run.precision is Precision.FP16 else ""),
            "cuda graph": "captured" if self._run.captured else "none",
        }

    @torch.inference_mode()
    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        boxes = torch.from_numpy(np.ascontiguousarray(template_box, np.float32))
        if self._run.published:
            mask = box_mask(self.network, boxes).to(self._device) if self._template.ranks_by_box else None
            values = [normalise(template, self.color).to(self._device), mask]
            return _Target(tuple(v for v in values if v is not None))
        inputs = [torch.from_numpy(np.ascontiguousarray(template)).to(self._device)]
        if self._template.ranks_by_box:
            inputs.append(boxes.to(self._device))
        with self._rounding():
            return _Target(tuple(self._template(*inputs)))

    @torch.inference_mode()
    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        if not isinstance(features, _Target):
            raise InputError("the features were made by another backend; call embed_template of this one")
        start = perf_counter()
        region = torch.from_numpy(np.ascontiguousarray(search)).to(self._device)
        weights = torch.from_numpy(window).to(self._device)
        self._finish()
        copied = perf_counter()
        if self._run.captured:
            if self._captured is None or self._captured.batch != len(search):
                self._captured = _Captured(self._forward, features.values, region, weights)
            given = self._captured.replay(features.values, region, weights)
        else:
            given = self._forward(features.values, region, weights)
        self._finish()
        done = perf_counter()
        box, score, *kept = (tensor.cpu().numpy() for tensor in given)
        self._timings = {
            "copy": (copied - start + perf_counter() - done) * 1e3,
            "inference": (done - copied) * 1e3,
        }
        return SearchResult(box, score, tuple(kept))

    def _forward(self, values: tuple[Tensor, ...], region: Tensor, window: Tensor) -> list[Tensor]:
        """box, score, kept tokens per stage, on the device."""
        with self._rounding():
            if not self._run.published:
                names = self._template.output_names
                box, score, *rest = self._search(search=region, window=window, **dict(zip(names, values, strict=True)))
                return [box.float(), score.float(), *rest[: len(self.network.kept_counts)]]
            maps = self._published(values[0], self._normalised(region), values[1] if len(values) > 1 else None)
        box, cell = decode(maps.score_map.float(), maps.size_map.float(), maps.offset_map.float(), window)
        score = maps.score_map.float().flatten(1).gather(1, cell[:, None])[:, 0]
        return [box, score, *(k.to(torch.int32) for k in maps.kept)]

    def _normalised(self, region: Tensor) -> Tensor:
        """As `normalise`, on the device."""
        rgb = region if self.color is ColorOrder.RGB else region.flip(-1)
        return (rgb.permute(0, 3, 1, 2).float() / 255.0 - self._mean) / self._std

    def _rounding(self) -> torch.autocast:
        # Without a cache, as a capture must not keep what was cast outside of it.
        half = self._run.precision is Precision.FP16
        return torch.autocast(
            self._device.type, dtype=torch.float16, enabled=half, cache_enabled=not self._run.captured
        )

    def _finish(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


class _Captured:
    """A forward pass as one CUDA graph, with inputs and outputs that stay where they are."""

    def __init__(self, forward: _Forward, values: tuple[Tensor, ...], region: Tensor, window: Tensor) -> None:
        self.batch = len(region)
        self._inputs = [value.clone() for value in (*values, region, window)]
        *kept, own_region, own_window = self._inputs
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                forward(tuple(kept), own_region, own_window)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = forward(tuple(kept), own_region, own_window)

    def replay(self, values: tuple[Tensor, ...], region: Tensor, window: Tensor) -> list[Tensor]:
        for own, given in zip(self._inputs, (*values, region, window), strict=True):
            own.copy_(given)
        self._graph.replay()
        return self._outputs
