"""Small networks of every design, and pictures for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from ostrack_edge.export.graphs.template import ranks_by_box
from ostrack_edge.export.model import NetworkOutput, OSTrack
from ostrack_edge.export.model.elimination import box_mask
from ostrack_edge.export.reference import normalise
from ostrack_edge.runtime.design import Design, RelationKind, RelationModule
from ostrack_edge.runtime.network import ColorOrder, NetworkGeometry, TemplateTokens

SMALL = NetworkGeometry("small", 112, 128, 2.0, 4.0, 64, 4, 2, 128, 16, (1, 2), (0.7, 0.7))
SWINTRACK = RelationModule(RelationKind.SWINTRACK, 2, 64, 2, 128)
STARK = RelationModule(RelationKind.STARK, 2, 32, 4, 96)


def small(design: Design, **changes: object) -> NetworkGeometry:
    return dataclasses.replace(SMALL, design=design, **changes)  # type: ignore[arg-type]


def whole(design: Design) -> NetworkGeometry:
    """Without elimination."""
    return small(design, elimination_blocks=(), keep_ratios=())


DESIGNS = {
    "identity": small(Design(identity_embeddings=True)),
    "relative": small(Design(relative_positions=True)),
    "relative, whole": whole(Design(relative_positions=True)),
    "relative, ranked by the box": small(
        Design(relative_positions=True), template_tokens=TemplateTokens.BOX, elimination_blocks=(1, 3)
    ),
    "extra relation": small(Design(module=SWINTRACK)),
    "extra relation, whole": whole(Design(module=SWINTRACK)),
    "extra relation as STARK's": small(Design(module=STARK)),
    "two relation layers": small(Design(relation_layers=2), elimination_blocks=(2,), keep_ratios=(0.7,)),
    "one relation layer": whole(Design(relation_layers=1)),
    "one relation layer that drops": small(Design(relation_layers=1), elimination_blocks=(3,), keep_ratios=(0.5,)),
    "STARK-aligned": whole(Design(relation_layers=0, module=STARK)),
    "STARK-aligned, one layer": whole(Design(relation_layers=0, module=dataclasses.replace(STARK, layers=1))),
    "SwinTrack-aligned": whole(Design(relation_layers=0, module=SWINTRACK)),
    "all at once": small(Design(True, True, 2, SWINTRACK), elimination_blocks=(2, 3)),
}


@pytest.fixture(scope="session")
def crops() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three templates uint8 [3, 112, 112, 3], boxes float32 [3, 4] in them, search regions uint8 [3, 128, 128, 3]."""
    random = np.random.default_rng(0)
    template = random.integers(0, 256, (3, 112, 112, 3), np.uint8)
    search = random.integers(0, 256, (3, 128, 128, 3), np.uint8)
    box = np.concatenate([random.uniform(0, 0.4, (3, 2)), random.uniform(0.2, 0.5, (3, 2))], 1)
    return template, box.astype(np.float32), search


def network_answers(network: OSTrack, crops: tuple[np.ndarray, np.ndarray, np.ndarray]) -> NetworkOutput:
    """What the PyTorch network gives for crops."""
    template, box, search = crops
    mask = box_mask(network.geometry, torch.from_numpy(box)) if ranks_by_box(network) else None
    with torch.inference_mode():
        return network(normalise(template, ColorOrder.RGB), normalise(search, ColorOrder.RGB), mask)
