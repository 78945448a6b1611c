"""Networks from checkpoints: what the shapes tell, what does not fit, and what is said then."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import onnx
import pytest
import torch
from onnx import numpy_helper
from ostrack_edge.export import (
    OSTrack,
    build_bundle,
    load_network,
    load_plain_vit,
    save_network,
    untrained_network,
)
from ostrack_edge.export.build import weights_sha256
from ostrack_edge.export.checkpoint import read_checkpoint
from ostrack_edge.export.load import plain_vit_network
from ostrack_edge.export.match import load_matching_network
from ostrack_edge.export.variants import published_geometry
from ostrack_edge.runtime.errors import CheckpointError, GeometryError, InputError
from ostrack_edge.runtime.manifest import GraphRole, Precision
from ostrack_edge.runtime.network import NetworkGeometry, TemplateTokens

THIN = NetworkGeometry("ostrack-256", 128, 256, 2.0, 4.0, 64, 4, 1, 256, 16, (1, 2, 3), (0.7, 0.7, 0.7))


def saved(path: Path, network: OSTrack, **changes: object) -> Path:
    state = network.state_dict()
    for name, value in changes.items():
        name = name.replace("__", ".")
        if value is None:
            del state[name]
        else:
            state[name] = value  # type: ignore[assignment]
    torch.save({"epoch": 300, "net": state}, path)
    return path


@pytest.fixture
def thin() -> OSTrack:
    return untrained_network(THIN)


def test_every_size_is_read_from_the_shapes(tmp_path: Path, thin: OSTrack) -> None:
    network = load_network(saved(tmp_path / "c.pth.tar", thin))
    assert network.geometry == THIN
    assert not network.training
    for name, value in thin.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


def test_options_change_what_is_dropped_and_nothing_else(tmp_path: Path, thin: OSTrack) -> None:
    path = saved(tmp_path / "c.pth.tar", thin)
    network = load_network(path, "ostrack-256", keep_ratio=0.5, template_tokens="all", elimination_blocks=[0, 2])
    assert network.geometry.eliminations == {0: 128, 2: 64}
    assert network.geometry.template_tokens is TemplateTokens.ALL
    assert load_network(path, heads=2).geometry.heads == 2
    assert load_network(path, elimination_blocks=[]).geometry.kept_counts == ()


def test_a_variant_that_does_not_fit_is_refused(tmp_path: Path, thin: OSTrack) -> None:
    path = saved(tmp_path / "c.pth.tar", thin)
    with pytest.raises(CheckpointError, match=r"does not fit ostrack-384: .* 128 .* 256 .*it is an ostrack-256"):
        load_network(path, "ostrack-384")
    with pytest.raises(GeometryError, match="no variant 'ostrack'"):
        load_network(path, "ostrack")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backbone__blocks__2__mlp__fc1__bias": None}, r"missing backbone\.blocks\.2\.mlp\.fc1\.bias \[256\]"),
        ({"extra__weight": torch.zeros(3)}, r"unexpected extra\.weight"),
        (
            {"box_head__conv2_ctr__0__weight": torch.zeros(8, 16, 1, 1)},
            r"conv2_ctr\.0\.weight is \[8, 16, 1, 1\], expected \[8, 16, 3, 3\]",
        ),
        ({"backbone__pos_embed_z": None}, r"missing backbone\.pos_embed_z"),
        ({"backbone__pos_embed_z": torch.zeros(1, 63, 64)}, "63 tokens, which make no square grid"),
        ({"backbone__pos_embed_x": torch.zeros(256, 64)}, r"\[256, 64\], expected 3 dimensions"),
        (
            {"backbone__blocks__9__norm1__weight": torch.zeros(64)},
            r"missing backbone\.blocks\.4\.norm1\.weight .* more",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path: Path, thin: OSTrack, changes: dict, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_network(saved(tmp_path / "c.pth.tar", thin, **changes))


def test_geometry_travels_with_safetensors(tmp_path: Path) -> None:
    geometry = NetworkGeometry("edge", 64, 160, 2.0, 3.5, 48, 4, 3, 96, 16, (1, 3), (0.8, 0.6), TemplateTokens.ALL)
    network = untrained_network(geometry)
    save_network(tmp_path / "n.safetensors", network)
    loaded = load_network(tmp_path / "n.safetensors")
    assert loaded.geometry == geometry
    assert torch.equal(loaded.backbone.pos_embed_x, network.backbone.pos_embed_x)
    assert load_network(tmp_path / "n.safetensors", keep_ratio=1.0).geometry.kept_counts == ()


def test_half_precision_loads_as_the_same_values(tmp_path: Path, thin: OSTrack) -> None:
    path, again = tmp_path / "half.safetensors", tmp_path / "again.safetensors"
    save_network(path, thin, torch.float16)
    network = load_network(path)
    assert network.geometry == thin.geometry
    for name, value in network.state_dict().items():
        assert value.dtype == thin.state_dict()[name].dtype
        assert torch.equal(value, thin.state_dict()[name].to(torch.float16).to(value.dtype))
    # Nothing is lost a second time: the file, and a bundle built from it, hold the same weights.
    save_network(again, network, torch.float16)
    assert weights_sha256(load_network(again)) == weights_sha256(network) != weights_sha256(thin)
    assert again.stat().st_size < 0.52 * sum(v.nbytes for v in network.state_dict().values())


def test_weights_beyond_half_precision_are_not_written(tmp_path: Path, thin: OSTrack) -> None:
    thin.state_dict()["backbone.norm.weight"][3] = 1e5
    with pytest.raises(CheckpointError, match=r"float16's range of 65504 lie weights of backbone\.norm\.weight; save"):
        save_network(tmp_path / "n.safetensors", thin, torch.float16)
    with pytest.raises(InputError, match=r"dtype is torch\.int8; give torch\.float32 or torch\.float16"):
        save_network(tmp_path / "n.safetensors", thin, torch.int8)
    assert list(tmp_path.iterdir()) == []
    save_network(tmp_path / "n.safetensors", thin)
    assert load_network(tmp_path / "n.safetensors").state_dict()["backbone.norm.weight"][3] == 1e5


def test_a_bundle_of_half_precision_weights_is_the_networks(tmp_path: Path, tiny_geometry: NetworkGeometry) -> None:
    save_network(tmp_path / "half.safetensors", untrained_network(tiny_geometry), torch.float16)
    bundle = build_bundle(load_network(tmp_path / "half.safetensors"), tmp_path / "bundle")
    network = load_matching_network(bundle, tmp_path / "half.safetensors")
    assert weights_sha256(network) == bundle.manifest.weights_sha256
    graph = onnx.load(bundle.path(bundle.manifest.graph(GraphRole.SEARCH, Precision.FP32)))
    stored = next(w for w in graph.graph.initializer if w.name == "blocks.1.mlp.fc2.weight")
    held = torch.from_numpy(numpy_helper.to_array(stored).copy())
    weight = network.backbone.blocks.get_parameter("1.mlp.fc2.weight").detach()
    assert torch.equal(held if held.shape == weight.shape else held.T, weight)


def test_sizes_nobody_published_are_read_too(tmp_path: Path) -> None:
    geometry = NetworkGeometry("custom-64-160", 64, 160, 2.0, 4.0, 128, 4, 2, 96, 16, (1, 2, 3), (0.7,) * 3)
    assert load_network(saved(tmp_path / "c.pth", untrained_network(geometry))).geometry == geometry


def test_a_width_of_no_whole_heads_asks_for_their_number(tmp_path: Path) -> None:
    geometry = NetworkGeometry("custom-64-128", 64, 128, 2.0, 4.0, 48, 4, 3, 96, 16, (1, 2, 3), (0.7,) * 3)
    path = saved(tmp_path / "c.pth", untrained_network(geometry))
    with pytest.raises(GeometryError, match="say how many attention heads"):
        load_network(path)
    assert load_network(path, heads=3).geometry.heads == 3


def test_a_plain_vit_becomes_a_network_to_train(tmp_path: Path) -> None:
    plain = {
        name.removeprefix("backbone."): value
        for name, value in untrained_network(THIN).state_dict().items()
        if name.startswith("backbone.") and not name.endswith(("pos_embed_z", "pos_embed_x"))
    }
    path = tmp_path / "mae.pth"
    torch.save({"model": {**plain, "mask_token": torch.zeros(1, 1, 8), "decoder_pred.weight": torch.zeros(3, 3)}}, path)
    network = load_plain_vit(path, "ostrack-384", head_width=32)
    assert network.geometry.search_token_count == 576
    assert network.geometry.head_width == 32
    assert network.backbone.pos_embed_z.shape == (1, 144, 64)
    assert torch.equal(network.backbone.blocks.get_parameter("1.attn.qkv.weight"), plain["blocks.1.attn.qkv.weight"])
    again = load_plain_vit(path, "ostrack-384", head_width=32)
    assert torch.equal(
        again.box_head.get_parameter("conv5_ctr.weight"), network.box_head.get_parameter("conv5_ctr.weight")
    )
    with pytest.raises(CheckpointError, match="load_plain_vit"):
        load_network(path)
    with pytest.raises(CheckpointError, match="no plain ViT"):
        load_plain_vit(saved(tmp_path / "t.pth", untrained_network(THIN), backbone__pos_embed=None), "ostrack-256")


def test_a_plain_vit_of_half_precision_is_resized_in_float32(tmp_path: Path) -> None:
    state = untrained_network(THIN).state_dict()
    names = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    plain = {k: v.half() for k, v in names.items() if k not in ("pos_embed_z", "pos_embed_x")}
    torch.save(plain, tmp_path / "half.pth")
    torch.save({k: v.float() for k, v in plain.items()}, tmp_path / "single.pth")
    half, single = (load_plain_vit(tmp_path / name, "ostrack-256") for name in ("half.pth", "single.pth"))
    assert weights_sha256(half) == weights_sha256(single)


def test_a_plain_vit_without_a_class_token_is_taken(tmp_path: Path) -> None:
    state = untrained_network(THIN).state_dict()
    names = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    plain = {k: v for k, v in names.items() if k not in ("cls_token", "pos_embed_z", "pos_embed_x")}
    torch.save({**plain, "pos_embed": plain["pos_embed"][:, 1:]}, tmp_path / "vit.pth")
    network = load_plain_vit(tmp_path / "vit.pth", "ostrack-256")
    assert not network.backbone.cls_token.any()
    assert network.backbone.pos_embed.shape == (1, 196, 64)


def test_names_from_inside_a_data_parallel_wrapper_are_read(tmp_path: Path, thin: OSTrack) -> None:
    torch.save({"net": {f"module.{k}": v for k, v in thin.state_dict().items()}}, tmp_path / "c.pth.tar")
    assert load_network(tmp_path / "c.pth.tar").geometry == THIN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backbone.norm.weight", torch.full((64,), 1e300, dtype=torch.float64)),
        ("backbone.norm.bias", torch.zeros(64, dtype=torch.int64)),
        ("box_head.conv2_ctr.1.running_var", torch.full((8,), -1.0)),
    ],
)
def test_values_that_no_network_can_have_are_refused(
    tmp_path: Path, thin: OSTrack, name: str, value: torch.Tensor
) -> None:
    with pytest.raises(CheckpointError, match=f"no float32 weights, or variances below 0: {name}"):
        load_network(saved(tmp_path / "c.pth.tar", thin, **{name: value}))


def test_made_up_weights_are_the_same_for_a_seed() -> None:
    one, same, other = (untrained_network(THIN, seed).state_dict() for seed in (0, 0, 1))
    name = "backbone.blocks.0.attn.qkv.weight"
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])


def test_published_depths_get_published_blocks() -> None:
    assert published_geometry("ostrack-256").elimination_blocks == (3, 6, 9)


def test_a_plain_vit_is_resized_for_crops_of_any_size(tmp_path: Path) -> None:
    state = untrained_network(THIN).state_dict()
    names = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    torch.save({k: v for k, v in names.items() if k not in ("pos_embed_z", "pos_embed_x")}, tmp_path / "vit.pth")
    geometry = dataclasses.replace(THIN, template_size=96, search_size=320, search_factor=4.5, head_width=32)
    network = plain_vit_network(read_checkpoint(tmp_path / "vit.pth"), geometry)
    assert network.geometry == geometry
    assert network.backbone.pos_embed_x.shape == (1, 400, 64)
    deeper = dataclasses.replace(geometry, depth=6)
    with pytest.raises(CheckpointError, match=r"missing backbone\.blocks\.4"):
        plain_vit_network(read_checkpoint(tmp_path / "vit.pth"), deeper)
