"""The PyTorch network's answers on crops that look real: what every exported graph is compared with."""

from __future__ import annotations

import numpy as np
import torch

from ..datasets.scene import Scene
from ..runtime.crop import Cropper
from ..runtime.geometry import Box, CropWindow, crop_window, hann_window, template_box
from ..runtime.network import ColorOrder, NetworkGeometry
from ..runtime.selftest import Reference
from .graphs.template import ranks_by_box
from .model import OSTrack
from .model.elimination import box_mask
from .model.head import decode
from .reference import normalise

CROPS = 8


def make_reference(network: OSTrack, color: ColorOrder, crops: int = CROPS) -> Reference:
    """Crops of the project's own rendered clip, as a tracker cuts them, with the PyTorch network's answers.

    Two targets; search regions from all over the clip around boxes that err in place and size, some reaching over the
    frame's edge.
    """
    geometry = network.geometry
    template, boxes, search = _crops(geometry, color, crops)
    window = torch.from_numpy(hann_window(geometry.search_grid))
    with torch.inference_mode():
        mask = box_mask(geometry, torch.from_numpy(boxes)) if ranks_by_box(network) else None
        maps = network(normalise(template, color), normalise(search, color), mask)
        box, cell = decode(maps.score_map, maps.size_map, maps.offset_map, window)
        score = maps.score_map.flatten(1).gather(1, cell[:, None])[:, 0]
    return Reference(
        template=template,
        template_box=boxes,
        search=search,
        score_map=maps.score_map.numpy(),
        size_map=maps.size_map.numpy(),
        offset_map=maps.offset_map.numpy(),
        cell=cell.numpy(),
        box=box.numpy(),
        score=score.numpy(),
        kept=tuple(k.to(torch.int32).numpy() for k in maps.kept),
    )


def _crops(geometry: NetworkGeometry, color: ColorOrder, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scenes = [Scene(seed=seed) for seed in (1, 2)]
    swap = color is ColorOrder.RGB
    template_cropper, search_cropper = Cropper(geometry.template_size, swap), Cropper(geometry.search_size, swap)
    jitter = np.random.default_rng(0)
    templates, boxes, searches = [], [], []
    for i in range(count):
        scene = scenes[i % len(scenes)]
        target = scene.box(0)
        window = crop_window(target, geometry.template_factor)
        templates.append(template_cropper.cut(scene.frame(0), window).copy())
        boxes.append(template_box(target, geometry.template_size / window.side, geometry.template_size))
        frame = 1 + i * (len(scene) - 2) // count
        searches.append(search_cropper.cut(scene.frame(frame), _searched(scene.box(frame), geometry, jitter)).copy())
    return np.stack(templates), np.stack(boxes), np.stack(searches)


def _searched(box: Box, geometry: NetworkGeometry, jitter: np.random.Generator) -> CropWindow:
    size = float(np.exp(jitter.normal(0, 0.2)))
    shift = jitter.uniform(-1, 1, 2) * (box.width, box.height)
    moved = Box(box.x + float(shift[0]), box.y + float(shift[1]), box.width * size, box.height * size)
    return crop_window(moved, geometry.search_factor)
