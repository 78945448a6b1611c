"""From a plan to a network and its sources, and from options to a plan."""

from __future__ import annotations

from pathlib import Path

from ..export.checkpoint import read_checkpoint
from ..export.load import load_plain_vit, network_from
from ..export.model import OSTrack
from ..export.model.embedding import resize_position_embedding
from ..export.variants import Elimination
from ..runtime.errors import TrainingError
from ..runtime.network import NetworkGeometry
from .initial import fresh_network
from .plan import Origin, Plan, Start


def describe_start(init: Path | None) -> Start:
    """What `--init FILE` is. Raises CheckpointError for a file that cannot be read."""
    if init is None:
        return Start(Origin.FRESH)
    found = read_checkpoint(init)
    plain = not any("pos_embed_x" in name for name in found.tensors)
    return Start(Origin.PLAIN_VIT if plain else Origin.CHECKPOINT, str(init.resolve()), found.sha256)


def first_network(plan: Plan) -> OSTrack:
    """The network as the plan has it begin. Raises CheckpointError, and TrainingError where its file has changed."""
    start, geometry = plan.start, plan.geometry
    if start.path is None:
        return fresh_network(geometry, plan.recipe.seed)
    path = Path(start.path)
    found = read_checkpoint(path)
    if found.sha256 != start.sha256:
        raise TrainingError(f"{path} has changed since the run was planned; start a new run, or put the old file back")
    elimination = Elimination(geometry.keep_ratios, geometry.template_tokens, geometry.elimination_blocks)
    if start.origin is Origin.PLAIN_VIT:
        return load_plain_vit(
            path,
            geometry.variant,
            geometry.keep_ratios,
            geometry.template_tokens,
            geometry.elimination_blocks,
            geometry.heads,
            geometry.head_width,
            plan.recipe.seed,
        )
    return resized(network_from(found, None, elimination, geometry.heads), geometry)


def resized(network: OSTrack, geometry: NetworkGeometry) -> OSTrack:
    """The network for other crop sizes: its positional embeddings resized as a plain ViT's are, all else the same.

    Raises TrainingError where `geometry` differs in more than crops and elimination.
    """
    old = network.geometry
    same = ("width", "depth", "heads", "mlp_width", "head_width")
    differing = [f"{name} {getattr(old, name)}, not {getattr(geometry, name)}" for name in same
                 if getattr(old, name) != getattr(geometry, name)]  # fmt: skip
    if differing:
        raise TrainingError(f"the weights to start from are of another network: {'; '.join(differing)}")
    weights = dict(network.state_dict())
    for name, grid in (("z", geometry.template_grid), ("x", geometry.search_grid)):
        key = f"backbone.pos_embed_{name}"
        weights[key] = resize_position_embedding(weights[key], grid)
    bigger = OSTrack(geometry, weights["backbone.pos_embed"].shape[1])
    bigger.load_state_dict(weights)
    return bigger
