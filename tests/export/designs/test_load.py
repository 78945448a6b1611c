from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from ostrack_edge.export import VARIANTS, OSTrack, load_network, load_plain_vit, save_network, untrained_network
from ostrack_edge.export.designs import design_of
from ostrack_edge.export.model.relative import relative_position_index
from ostrack_edge.runtime.design import Design
from ostrack_edge.runtime.errors import CheckpointError, GeometryError
from ostrack_edge.runtime.network import NetworkGeometry

from .conftest import DESIGNS, SMALL


@pytest.mark.parametrize("geometry", DESIGNS.values(), ids=DESIGNS.keys())
def test_a_saved_network_comes_back_as_it_was(geometry: NetworkGeometry, tmp_path: Path) -> None:
    network = untrained_network(geometry)
    save_network(tmp_path / "network.safetensors", network)
    back = load_network(tmp_path / "network.safetensors")
    assert back.geometry == geometry
    assert all(torch.equal(value, back.state_dict()[name]) for name, value in network.state_dict().items())


def published_file(network: OSTrack, path: Path) -> Path:
    """Tensors alone, as the published code saves them, with its indices of relative positions among them."""
    tensors = dict(network.state_dict())
    if network.geometry.design.relative_positions:
        index = relative_position_index(network.geometry.template_grid, network.geometry.search_grid)
        for number in range(network.geometry.depth):
            tensors[f"backbone.blocks.{number}.attn.relative_position_index"] = index
    torch.save({"net": tensors}, path)
    return path


@pytest.mark.parametrize("name", ["identity", "relative"])
def test_embeddings_are_known_by_their_published_names(name: str, tmp_path: Path) -> None:
    path = published_file(untrained_network(DESIGNS[name]), tmp_path / "published.pth")
    assert load_network(path, heads=2).geometry.design == DESIGNS[name].design


def test_another_numbering_of_relative_positions_is_refused(tmp_path: Path) -> None:
    network = untrained_network(DESIGNS["relative"])
    tensors = dict(network.state_dict())
    tensors["backbone.blocks.1.attn.relative_position_index"] = relative_position_index(7, 8).t().contiguous()
    torch.save({"net": tensors}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="numbers relative positions otherwise"):
        load_network(tmp_path / "other.pth", heads=2)


def test_a_relation_module_without_a_word_on_the_blocks_is_refused(tmp_path: Path) -> None:
    path = published_file(untrained_network(DESIGNS["SwinTrack-aligned"]), tmp_path / "module.pth")
    with pytest.raises(GeometryError, match="name its variant"):
        load_network(path)


def test_a_variant_that_the_tensors_are_not_is_refused() -> None:
    tensors = untrained_network(SMALL).state_dict()
    with pytest.raises(CheckpointError, match="wanted is identity embeddings"):
        design_of(tensors, Path("plain.pth"), Design(identity_embeddings=True))
    aligned = VARIANTS["stark-aligned-256"].design
    with pytest.raises(
        CheckpointError, match="nothing beside the published network; wanted is two streams, a stark module"
    ):
        design_of(tensors, Path("plain.pth"), aligned)


@pytest.mark.parametrize("name", ["STARK-aligned", "SwinTrack-aligned", "extra relation"])
def test_a_modules_sizes_are_read_from_its_tensors(name: str) -> None:
    design = DESIGNS[name].design
    found = design_of(untrained_network(DESIGNS[name]).state_dict(), Path("module.pth"), design)
    heads = dataclasses.replace(design, module=dataclasses.replace(design.module, heads=found.module.heads))  # type: ignore[union-attr, type-var]
    assert found == heads


@pytest.mark.parametrize("variant", ["ostrack-256-identity", "ostrack-256-relative", "stark-aligned-256"])
def test_a_plain_vit_becomes_any_design(variant: str, tmp_path: Path) -> None:
    source = untrained_network(dataclasses.replace(SMALL, template_size=128, search_size=256))
    plain = {
        name.removeprefix("backbone."): value
        for name, value in source.state_dict().items()
        if name.startswith("backbone.") and "pos_embed_" not in name
    }
    torch.save({"model": plain}, tmp_path / "vit.pth")
    if variant.startswith("stark"):
        network = load_plain_vit(tmp_path / "vit.pth", variant, heads=2, head_width=16)
        assert network.relation is not None
    else:
        network = load_plain_vit(tmp_path / "vit.pth", variant, heads=2, head_width=16)
    assert network.geometry.design == VARIANTS[variant].design
    assert network.geometry.variant == variant
