"""The published network's stored outputs, and networks with the weights that they were made with."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from ostrack_edge.export.model import OSTrack
from ostrack_edge.export.variants import published_geometry
from ostrack_edge.runtime.network import NetworkGeometry

RANKED_BY = {
    "centre point": "centre",
    "all": "all",
    "inside the target box": "box",
    "centre 2x2 (the released code's CTR_REC; the paper's ablation says 4x4)": "centre-2x2",
    None: "centre",
}


@dataclass(frozen=True)
class Golden:
    """Stored outputs by name, and how they were made."""

    outputs: dict[str, np.ndarray]
    case: dict
    geometry: NetworkGeometry

    @property
    def removed(self) -> list[np.ndarray]:
        return [self.outputs[f"removed_{i}"] for i in range(3) if f"removed_{i}" in self.outputs]


@pytest.fixture(scope="session")
def golden_folder(shared: Path) -> Path:
    return shared / "golden"


@pytest.fixture(scope="session")
def recipe(golden_folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_recipe", golden_folder / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden(golden_folder: Path) -> Callable[[str], Golden]:
    """A case of the stored outputs by its name."""
    cases = json.loads((golden_folder / "cases.json").read_text())

    def load(name: str) -> Golden:
        case = cases[name]
        geometry = published_geometry(
            f"ostrack-{case['search']}",
            keep_ratio=case["keep_ratio"] or 1.0,
            template_tokens=RANKED_BY[case["template_tokens"]],
            elimination_blocks=case["elimination_blocks"],
        )
        with np.load(golden_folder / f"{name}.npz") as arrays:
            return Golden(dict(arrays), case, geometry)

    return load


@pytest.fixture(scope="session")
def weights(recipe: ModuleType) -> Iterator[Callable[[OSTrack], OSTrack]]:
    """Fills a network with the recipe's weights; the recipe is slow, so each tensor is made once."""

    @cache
    def weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.as_tensor(recipe.weight_for(name, shape))

    def fill(network: OSTrack) -> OSTrack:
        state = {name: weight(name, tuple(value.shape)) for name, value in network.state_dict().items()}
        network.load_state_dict(state, strict=True)
        return network.eval()

    yield fill
    weight.cache_clear()
