"""From options to a plan, and from a plan to the networks that it begins with."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..export.checkpoint import Checkpoint, read_checkpoint
from ..export.load import load_network, network_from, plain_vit_network
from ..export.model import OSTrack
from ..export.model.embedding import resize_position_embedding
from ..export.variants import Elimination
from ..runtime.errors import InputError, OutputError, TrainingError
from ..runtime.manifest import to_json
from ..runtime.network import NetworkGeometry
from .data.mixture import split_share
from .distil import check_teacher
from .initial import fresh_network
from .plan import LOG, NETWORK, PLAN, STATE, Origin, Plan, Start, TeacherFile, write_plan
from .recipe import Optimizer, Precision


def describe_start(init: Path | None) -> Start:
    """What `--init FILE` is. Raises CheckpointError for a file that cannot be read."""
    if init is None:
        return Start(Origin.FRESH)
    found = read_checkpoint(init)
    plain = not any("pos_embed_x" in name for name in found.tensors)
    return Start(Origin.PLAIN_VIT if plain else Origin.CHECKPOINT, str(init.resolve()), found.sha256)


def describe_teacher(teacher: Path | None) -> TeacherFile | None:
    """What `--teacher FILE` is. Raises CheckpointError for a file that cannot be read."""
    return None if teacher is None else TeacherFile(str(teacher.resolve()), read_checkpoint(teacher).sha256)


def tracker_geometry(init: Path) -> NetworkGeometry:
    """The network that a tracker's checkpoint holds. Raises CheckpointError."""
    return load_network(init).geometry


def absolute_spec(spec: str) -> str:
    """`--data SPEC` as it can be found from any folder: KIND:PATH, or KIND:FILE.json,FOLDER, with absolute paths, and
    its share as it was written."""
    place = split_share(spec)[0]
    kind, paths = _split_spec(place)
    return kind + ",".join(str(path) for path in paths) + spec.removeprefix(place)


def places(spec: str) -> list[Path]:
    """The files and folders that a spec names, as absolute paths."""
    return _split_spec(split_share(spec)[0])[1]


def check_plan(plan: Plan, devices: int) -> None:
    """Whether a plan can be trained by so many processes at all, before anything is read. Raises InputError."""
    recipe, how = plan.recipe, plan.recipe.optimisation
    _check_finite(to_json(recipe), "")
    if how.batch % devices:
        raise InputError(f"a batch of {how.batch} pairs does not divide among {devices} devices; change one of them")
    if how.optimizer is Optimizer.MUON and recipe.precision is Precision.FP16:
        raise InputError("muon does not train in 16-mixed; choose bf16-mixed, or the optimizer adamw")
    if plan.teacher is None and recipe.distillation.any:
        raise InputError("the recipe distils, and there is no teacher; give one with --teacher")


def first_network(plan: Plan) -> OSTrack:
    """The network as the plan has it begin. Raises CheckpointError, and TrainingError where its file has changed."""
    start, geometry = plan.start, plan.geometry
    if start.path is None:
        return fresh_network(geometry, plan.recipe.seed)
    found = _unchanged(start.path, start.sha256)
    if start.origin is Origin.PLAIN_VIT:
        return plain_vit_network(found, geometry, plan.recipe.seed)
    elimination = Elimination(geometry.keep_ratios, geometry.template_tokens, geometry.elimination_blocks)
    return resized(network_from(found, None, elimination, geometry.heads, geometry.design), geometry)


def network_of(folder: Path, plan: Plan) -> OSTrack:
    """The network to train on: the folder's own where one has been saved, whose weights the state replaces, so that the
    file that it once began with need not be there any more; else as `first_network`."""
    if (folder / STATE).exists() and (folder / NETWORK).exists():
        network = load_network(folder / NETWORK)
        if network.geometry != plan.geometry:
            raise TrainingError(f"{folder / NETWORK} is not the network of the plan beside it; start the run again")
        return network
    return first_network(plan)


def teacher_network(plan: Plan) -> OSTrack | None:
    """The plan's teacher. Raises CheckpointError, TrainingError where its file has changed, and InputError where it
    does not look at the same piece of the picture."""
    if plan.teacher is None:
        return None
    teacher = network_from(_unchanged(plan.teacher.path, plan.teacher.sha256), None, Elimination())
    check_teacher(plan.geometry, teacher.geometry)
    return teacher


def resized(network: OSTrack, geometry: NetworkGeometry) -> OSTrack:
    """The network for other crop sizes: its positional embeddings resized as a plain ViT's are, all else the same.

    Raises TrainingError where `geometry` differs in more than crops and elimination, or in crops where relative
    positions or a relation module belong to them.
    """
    old = network.geometry
    same = ("width", "depth", "heads", "mlp_width", "head_width")
    differing = [f"{name} {getattr(old, name)}, not {getattr(geometry, name)}" for name in same
                 if getattr(old, name) != getattr(geometry, name)]  # fmt: skip
    if differing:
        raise TrainingError(f"the weights to start from are of another network: {'; '.join(differing)}")
    if old.design != geometry.design:
        raise TrainingError("the weights to start from are of another design; start from weights of the same variant")
    by_place = geometry.design.relative_positions or geometry.design.module is not None
    if by_place and (old.template_size, old.search_size) != (geometry.template_size, geometry.search_size):
        raise TrainingError(
            f"positions that {old.variant} has learnt belong to its crops of {old.template_size} and {old.search_size} "
            "pixels; train it at these sizes"
        )
    weights = dict(network.state_dict())
    for name, grid in (("z", geometry.template_grid), ("x", geometry.search_grid)):
        key = f"backbone.pos_embed_{name}"
        weights[key] = resize_position_embedding(weights[key], grid)
    bigger = OSTrack(geometry, weights["backbone.pos_embed"].shape[1])
    bigger.load_state_dict(weights)
    return bigger


def check_free(folder: Path) -> None:
    """Raises OutputError where a run cannot be put: it would write over another, or over somebody's file."""
    if (folder / PLAN).exists():
        raise OutputError(f"{folder} holds a run already; go on with it: ostrack-train resume {folder}")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give the folder of the run")
    taken = [name for name in (NETWORK, STATE, LOG) if (folder / name).exists()]
    if taken:
        raise OutputError(f"{folder} holds {', '.join(taken)}, which the run would write over; choose another folder")


def begin(folder: Path, plan: Plan) -> None:
    """Make a run's folder and write its plan. Raises OutputError, and leaves no empty folder behind then."""
    check_free(folder)
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(folder, plan)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another place") from error
    finally:
        if not (folder / PLAN).exists():
            # What cannot be removed, say because somebody has put a file there, must not hide the error.
            with suppress(OSError):
                for parent in (parent for parent in made if parent.exists()):
                    parent.rmdir()


def _unchanged(path: str, sha256: str | None) -> Checkpoint:
    found = read_checkpoint(path)
    if found.sha256 != sha256:
        raise TrainingError(f"{path} has changed since the run was planned; start a new run, or put the old file back")
    return found


def _split_spec(spec: str) -> tuple[str, list[Path]]:
    kind = re.match(r"[A-Za-z][A-Za-z0-9_-]+:|", spec)
    assert kind is not None
    rest = spec[kind.end() :]
    if not rest:
        raise InputError(f"--data {spec!r} names no place; write it as KIND:PATH, such as packed:/data/crops")
    two = re.fullmatch(r"(.+\.json),(.+)", rest, re.IGNORECASE | re.DOTALL)
    return kind[0], [Path(part).expanduser().resolve() for part in (two.groups() if two else (rest,))]


def _check_finite(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_finite(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where} is {value}; give a finite number")
