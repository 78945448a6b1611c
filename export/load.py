"""From a checkpoint to the PyTorch network."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..models import default_checkpoint
from ..runtime.design import Design
from ..runtime.errors import BundleError, CheckpointError, GeometryError, InputError, OSTrackEdgeError
from ..runtime.manifest import from_json, to_json
from ..runtime.network import PATCH, NetworkGeometry, TemplateTokens
from .checkpoint import Checkpoint, read_checkpoint, write_safetensors
from .designs import design_of, without_relative_index
from .model import OSTrack
from .model.embedding import resize_position_embedding
from .variants import HEAD_DIM, Elimination, Vit, variant_of, variant_sizes

GEOMETRY_KEY = "ostrack_edge.geometry"
"""Name of the safetensors metadata that holds the geometry as JSON."""

_SHOWN = 4


def load_network(
    checkpoint: str | Path | None = None,
    variant: str | None = None,
    keep_ratio: float | Sequence[float] | None = None,
    template_tokens: str | TemplateTokens | None = None,
    elimination_blocks: Sequence[int] | None = None,
    heads: int | None = None,
) -> OSTrack:
    """The network of a checkpoint, in evaluation mode: every size is read from the tensors' shapes.

    checkpoint: None takes the default model's; half precision becomes float32 of the same values. variant: the crop
    sizes that the checkpoint must fit, and its design; None takes the sizes of its positional embeddings, and the
    design from its tensors' names. The other options default to the
    geometry in a safetensors file's metadata, or to the published network: keep ratio 0.7 at a quarter, half and three
    quarters of the blocks, ranked by the centre token, attention heads of 64 channels.

    Raises CheckpointError for a file that cannot be read or does not hold this network, GeometryError for options that
    do not make one.
    """
    found = read_checkpoint(default_checkpoint() if checkpoint is None else checkpoint)
    return network_from(found, variant, Elimination(keep_ratio, template_tokens, elimination_blocks), heads)


def network_from(
    found: Checkpoint,
    variant: str | None,
    elimination: Elimination,
    heads: int | None = None,
    design: Design | None = None,
) -> OSTrack:
    """As `load_network`, from a checkpoint already read. design: None takes the variant's, or what the file says."""
    # Saved from inside a data-parallel wrapper, every name begins with its own.
    tensors = {name.removeprefix("module."): value for name, value in found.tensors.items()}
    found = dataclasses.replace(found, tensors=tensors)
    geometry = _geometry(found, variant, elimination, heads, design)
    tensors = without_relative_index(tensors, geometry, found.path)
    plain_tokens = _shape(tensors, "backbone.pos_embed", 3, found.path)[1]
    network = OSTrack(geometry, plain_tokens)
    _fill(network, tensors, found.path)
    return network.eval()


def load_plain_vit(
    checkpoint: str | Path,
    variant: str,
    keep_ratio: float | Sequence[float] | None = None,
    template_tokens: str | TemplateTokens | None = None,
    elimination_blocks: Sequence[int] | None = None,
    heads: int | None = None,
    head_width: int = 256,
    seed: int = 0,
) -> OSTrack:
    """A network to train: the backbone of a plain pretrained ViT (such as MAE's), a fresh head.

    The positional embedding is resized bicubically to the variant's template and search grids (supplementary, section
    1); the centre head of `head_width` is initialised from `seed`. A decoder's or classifier's tensors are left out.
    Raises as `load_network`.
    """
    found = read_checkpoint(checkpoint)
    sizes = variant_sizes(variant)
    plain = _plain_tensors(found, sizes.template_size, sizes.search_size)
    elimination = Elimination(keep_ratio, template_tokens, elimination_blocks)
    geometry = _shaped_geometry(plain, found.path, variant, elimination, heads, head_width, None, sizes.design)
    return _with_fresh_head(geometry, plain, found.path, seed)


def plain_vit_network(found: Checkpoint, geometry: NetworkGeometry, seed: int = 0) -> OSTrack:
    """As `load_plain_vit`, from a checkpoint already read, for crops of any size. Raises CheckpointError where the ViT
    is not as wide or deep as `geometry` says."""
    plain = _plain_tensors(found, geometry.template_size, geometry.search_size)
    return _with_fresh_head(geometry, plain, found.path, seed)


def untrained_network(geometry: NetworkGeometry, seed: int = 0) -> OSTrack:
    """A network with made-up weights: for measuring speed, and for tests; its boxes mean nothing.

    Normal weights of standard deviation 1/sqrt(fan-in) keep activations in the range of a trained network's.
    """
    with torch.random.fork_rng(devices=[]):
        network = OSTrack(geometry)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if not value.is_floating_point():
                continue
            if name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
                value.uniform_(0.5, 1.5, generator=generator)
            elif value.ndim == 1:
                value.normal_(0, 0.02, generator=generator)
            elif any(part in name for part in ("pos_embed", "token", "relative_position_bias_table")):
                value.normal_(0, 0.5, generator=generator)
            else:
                value.normal_(0, value[0].numel() ** -0.5, generator=generator)
    return network.eval()


def save_network(path: str | Path, network: OSTrack, dtype: torch.dtype = torch.float32) -> None:
    """Write weights and geometry as safetensors, in one step.

    dtype: torch.float16 halves the file and rounds the weights, so what is built and measured should be loaded from it
    again. Raises CheckpointError where the file cannot be written, or a weight lies beyond float16's range, InputError
    for another dtype.
    """
    if dtype not in (torch.float32, torch.float16):
        raise InputError(f"dtype is {dtype!r}; give torch.float32 or torch.float16")
    state = network.state_dict()
    tensors = {n: v.to(dtype) if v.is_floating_point() else v for n, v in state.items()}
    lost = [n for n, v in tensors.items() if bool((torch.isinf(v) & torch.isfinite(state[n])).any())]
    if lost:
        raise CheckpointError(
            f"{path} was not written: beyond float16's range of {torch.finfo(dtype).max:g} lie weights of "
            f"{_listed(lost)}; save them as torch.float32"
        )
    write_safetensors(path, tensors, {GEOMETRY_KEY: json.dumps(to_json(network.geometry))})


def _geometry(
    found: Checkpoint, variant: str | None, elimination: Elimination, heads: int | None, design: Design | None
) -> NetworkGeometry:
    if "backbone.pos_embed_x" not in found.tensors:
        names = ", ".join(list(found.tensors)[:_SHOWN])
        plain = "patch_embed.proj.weight" in found.tensors
        hint = (
            "it is a plain ViT: make a tracker of it with load_plain_vit and train that"
            if plain
            else f"it holds {names}, ..."
        )
        raise CheckpointError(f"{found.path} is no OSTrack checkpoint (no backbone.pos_embed_x); {hint}")
    stored = None
    if GEOMETRY_KEY in found.metadata:
        try:
            stored = from_json(NetworkGeometry, json.loads(found.metadata[GEOMETRY_KEY]), "geometry")
        except (BundleError, ValueError) as error:
            raise CheckpointError(f"{found.path}: its metadata {GEOMETRY_KEY} cannot be read: {error}") from None
    head = _shape(found.tensors, "box_head.conv1_ctr.0.weight", 4, found.path)[0]
    if design is None:
        design = design_of(found.tensors, found.path, variant_sizes(variant).design if variant else None, stored)
    return _shaped_geometry(found.tensors, found.path, variant, elimination, heads, head, stored, design)


def _shaped_geometry(
    tensors: Mapping[str, Tensor],
    path: Path,
    variant: str | None,
    elimination: Elimination,
    heads: int | None,
    head_width: int,
    stored: NetworkGeometry | None,
    design: Design,
) -> NetworkGeometry:
    template_tokens, width = _shape(tensors, "backbone.pos_embed_z", 3, path)[1:]
    search_tokens = _shape(tensors, "backbone.pos_embed_x", 3, path)[1]
    mlp_width = _shape(tensors, "backbone.blocks.0.mlp.fc1.weight", 2, path)[0]
    template_size, search_size = _side(template_tokens, "pos_embed_z", path), _side(search_tokens, "pos_embed_x", path)
    depth = _depth(tensors)
    name, sizes = variant_of(template_size, search_size, design, Vit(width, depth))
    if variant is not None:
        wanted = variant_sizes(variant)
        if (wanted.template_size, wanted.search_size) != (template_size, search_size):
            raise CheckpointError(
                f"{path} does not fit {variant}: its positional embeddings are for a template of {template_size} and a "
                f"search region of {search_size} pixels, {variant} has {wanted.template_size} and {wanted.search_size}"
                + (f"; it is an {name}" if not name.startswith("custom") else "")
            )
        if wanted.design == design:
            name, sizes = variant, wanted
    elif stored is not None:
        name = stored.variant
        sizes = dataclasses.replace(sizes, template_factor=stored.template_factor, search_factor=stored.search_factor)
    if heads is not None and (isinstance(heads, bool) or not isinstance(heads, int) or heads < 1):
        raise GeometryError(f"heads is {heads!r}; give a whole number from 1")
    if heads is None:
        heads = stored.heads if stored else width // HEAD_DIM
        if not stored and width % HEAD_DIM:
            raise GeometryError(
                f"{path}: a width of {width} is no multiple of {HEAD_DIM}; say how many attention heads it has"
            )
    try:
        same_design = stored is not None and stored.design == design
        blocks, ratios, tokens = elimination.apply(depth, stored if same_design else None, design)
        return NetworkGeometry(
            variant=name,
            template_size=template_size,
            search_size=search_size,
            template_factor=sizes.template_factor,
            search_factor=sizes.search_factor,
            width=width,
            depth=depth,
            heads=heads,
            mlp_width=mlp_width,
            head_width=head_width,
            elimination_blocks=blocks,
            keep_ratios=ratios,
            template_tokens=tokens,
            design=design,
        )
    except OSTrackEdgeError as error:
        raise GeometryError(f"{path}: {error}") from None


def _fill(network: OSTrack, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load strictly, saying of each tensor what is wrong with it."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    missing = [n for n in wanted if n not in tensors]
    unexpected = [n for n in tensors if n not in wanted]
    shapes = [
        f"{n} is {list(tensors[n].shape)}, expected {list(shape)}"
        for n, shape in wanted.items()
        if n in tensors and tuple(tensors[n].shape) != shape
    ]
    unusable = [n for n in wanted if n in tensors and _unusable(n, tensors[n], network.state_dict()[n])]
    parts = []
    if missing:
        parts.append(f"missing {_listed([f'{n} {list(wanted[n])}' for n in missing])}")
    if unexpected:
        parts.append(f"unexpected {_listed(unexpected)}")
    if shapes:
        parts.append(f"misshapen: {_listed(shapes)}")
    if unusable:
        parts.append(f"no float32 weights, or variances below 0: {_listed(unusable)}")
    if parts:
        raise CheckpointError(f"{path} does not hold this network: " + "; ".join(parts))
    network.load_state_dict(dict(tensors), strict=True)


def _unusable(name: str, given: Tensor, wanted: Tensor) -> bool:
    """Whether a tensor's values cannot be a network's: of another kind, or beyond float32's range."""
    if given.is_floating_point() != wanted.is_floating_point():
        return True
    values = given.to(wanted.dtype)
    return not bool(torch.isfinite(values).all()) or (name.endswith("running_var") and bool((values < 0).any()))


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _shape(tensors: Mapping[str, Tensor], name: str, dimensions: int, path: Path) -> tuple[int, ...]:
    if name not in tensors:
        raise CheckpointError(f"{path} does not hold this network: missing {name}")
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions:
        raise CheckpointError(
            f"{path} does not hold this network: {name} is {list(shape)}, expected {dimensions} dimensions"
        )
    return shape


def _side(tokens: int, name: str, path: Path) -> int:
    side = round(tokens**0.5)
    if side * side != tokens or side == 0:
        raise CheckpointError(f"{path}: backbone.{name} has {tokens} tokens, which make no square grid")
    return side * PATCH


def _depth(tensors: Mapping[str, Tensor]) -> int:
    numbers = {n.split(".")[2] for n in tensors if n.startswith("backbone.blocks.")}
    return max((int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4), default=0)


def _plain_tensors(found: Checkpoint, template_size: int, search_size: int) -> dict[str, Tensor]:
    """A plain ViT's tensors under the tracker's names, with positional embeddings for crops of these sizes."""
    plain = {f"backbone.{k.removeprefix('module.')}": v for k, v in found.tensors.items() if not _is_plain_extra(k)}
    position = plain.get("backbone.pos_embed")
    if position is None or position.ndim != 3:
        raise CheckpointError(f"{found.path} holds no pos_embed: it is no plain ViT; load a tracker with load_network")
    # Half precision would round what lies between two embeddings.
    position = position.to(torch.promote_types(position.dtype, torch.float32))
    for name, size in (("z", template_size), ("x", search_size)):
        plain[f"backbone.pos_embed_{name}"] = resize_position_embedding(position, size // PATCH)
    # The tracker never reads the class token; a ViT trained without one has nothing to put there.
    plain.setdefault("backbone.cls_token", torch.zeros(1, 1, position.shape[2]))
    return plain


def _with_fresh_head(geometry: NetworkGeometry, plain: dict[str, Tensor], path: Path, seed: int) -> OSTrack:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = OSTrack(geometry, plain["backbone.pos_embed"].shape[1])
    fresh = {name: value for name, value in network.state_dict().items() if _is_fresh(name)}
    _fill(network, {**plain, **fresh}, path)
    return network.eval()


def _is_plain_extra(name: str) -> bool:
    """Tensors of a plain ViT file that no tracker has: a decoder, a classifier, a mask token."""
    return name.removeprefix("module.").startswith(("decoder_", "mask_token", "head.", "fc_norm.", "head_dist."))


def _is_fresh(name: str) -> bool:
    """Tensors of a tracker that no plain ViT has: the head, and what its design adds."""
    added = ("segment_pos_embed", "relative_position_bias_table")
    return name.startswith(("box_head.", "relation.")) or name.endswith(added)
