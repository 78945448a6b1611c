"""PyTorch behind the runtime's Backend Protocol: the published graph, and the same network with our savings."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..runtime.backends import SearchResult, TargetFeatures
from ..runtime.errors import InputError
from ..runtime.network import ColorOrder, NetworkGeometry
from .graphs import SearchGraph, TemplateGraph
from .graphs.patches import IMAGENET_MEAN, IMAGENET_STD
from .graphs.template import ranks_by_box
from .model import OSTrack
from .model.elimination import box_mask
from .model.head import decode


class _TorchBackend:
    """What both have in common."""

    name = "pytorch"

    def __init__(self, network: OSTrack, color: ColorOrder, threads: int | None) -> None:
        self._network = network.eval()
        self._color = color
        self._timings: dict[str, float] = {}
        if threads is not None:
            torch.set_num_threads(threads)

    @property
    def network(self) -> NetworkGeometry:
        return self._network.geometry

    @property
    def color(self) -> ColorOrder:
        return self._color

    @property
    def batch(self) -> int | None:
        return None

    @property
    def timings_ms(self) -> Mapping[str, float]:
        return self._timings

    def describe(self) -> Mapping[str, str]:
        return {
            "library": f"torch {torch.__version__}",
            "device": "cpu",
            "threads": str(torch.get_num_threads()),
            "precision": "fp32",
        }


class _Target(NamedTuple):
    template: Tensor
    mask: Tensor | None


class ReferenceBackend(_TorchBackend):
    """The published graph as released, under inference mode: template and search region through every block, each
    frame anew; decoding as published."""

    def __init__(self, network: OSTrack, color: ColorOrder = ColorOrder.RGB, threads: int | None = None) -> None:
        super().__init__(network, color, threads)
        self._window: np.ndarray | None = None

    @torch.inference_mode()
    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        mask = None
        if ranks_by_box(self._network):
            mask = box_mask(self.network, torch.from_numpy(np.asarray(template_box, np.float32)))
        return _Target(normalise(template, self._color), mask)

    @torch.inference_mode()
    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        if not isinstance(features, _Target):
            raise InputError("the features were made by another backend; call embed_template of this one")
        start = perf_counter()
        region = normalise(search, self._color)
        copied = perf_counter()
        maps = self._network(features.template, region, features.mask)
        done = perf_counter()
        box, cell = decode(maps.score_map, maps.size_map, maps.offset_map, torch.from_numpy(window))
        score = maps.score_map.flatten(1).gather(1, cell[:, None])[:, 0]
        result = SearchResult(box.numpy(), score.numpy(), tuple(k.to(torch.int32).numpy() for k in maps.kept))
        self._timings = {
            "copy": (copied - start) * 1e3,
            "inference": (done - copied) * 1e3,
            "decode": (perf_counter() - done) * 1e3,
        }
        return result


class SavingsBackend(_TorchBackend):
    """The modules that are exported, run by PyTorch: what the savings alone gain, without a change of engine."""

    def __init__(
        self,
        network: OSTrack,
        color: ColorOrder = ColorOrder.RGB,
        threads: int | None = None,
        compiled: bool = False,
    ) -> None:
        """compiled: run the search graph through torch.compile; needs a C++ compiler, and compiles at first use."""
        super().__init__(network, color, threads)
        self.name = "pytorch savings, compiled" if compiled else "pytorch savings, eager"
        self._template = TemplateGraph(network, color).eval()
        self._search = SearchGraph(network, color).eval()
        self._run = torch.compile(self._search) if compiled else self._search
        self._stages = len(self.network.kept_counts)

    @torch.inference_mode()
    def embed_template(self, template: np.ndarray, template_box: np.ndarray) -> TargetFeatures:
        inputs = [torch.from_numpy(np.ascontiguousarray(template))]
        if self._template.ranks_by_box:
            inputs.append(torch.from_numpy(np.asarray(template_box, np.float32)))
        return dict(zip(self._template.output_names, self._template(*inputs), strict=True))

    @torch.inference_mode()
    def search(self, features: TargetFeatures, search: np.ndarray, window: np.ndarray) -> SearchResult:
        if not isinstance(features, dict):
            raise InputError("the features were made by another backend; call embed_template of this one")
        start = perf_counter()
        region = torch.from_numpy(np.ascontiguousarray(search))
        copied = perf_counter()
        box, score, *rest = self._run(search=region, window=torch.from_numpy(window), **features)
        done = perf_counter()
        self._timings = {"copy": (copied - start) * 1e3, "inference": (done - copied) * 1e3}
        return SearchResult(box.numpy(), score.numpy(), tuple(k.numpy() for k in rest[: self._stages]))


def normalise(pictures: np.ndarray, color: ColorOrder) -> Tensor:
    """uint8 [B, H, W, 3] in the given order to the network's input: float32 [B, 3, H, W], red first, as published."""
    rgb = torch.from_numpy(np.ascontiguousarray(pictures if color is ColorOrder.RGB else pictures[..., ::-1]))
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (rgb.permute(0, 3, 1, 2).float() / 255.0 - mean) / std
