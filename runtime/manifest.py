"""The bundle's manifest: what every writer and reader of a bundle agrees on.

`manifest.json` is the dataclasses below as JSON. A reader refuses a schema that is newer than its own, a field that is
missing and a field of another type, each by name.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from ..models import remedy
from .errors import BundleError, OSTrackEdgeError
from .network import ColorOrder, NetworkGeometry

SCHEMA = 1
"""Version of the manifest's layout; raised when an older reader could misread a newer bundle."""

MANIFEST_NAME = "manifest.json"


class Precision(str, Enum):
    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"

    def __str__(self) -> str:
        return self.value


class Recipe(str, Enum):
    """How a graph's numbers are typed beyond its precision.

    `plain`: every FP32 and FP16 graph. INT8 graphs: `linears` (the blocks' Linears in INT8, the rest in FP16) and
    `attention` (the attention's products too) are explicit Q/DQ for TensorRT; `cpu` is for ONNX Runtime's CPU kernels.
    """

    PLAIN = "plain"
    LINEARS = "linears"
    ATTENTION = "attention"
    CPU = "cpu"

    def __str__(self) -> str:
        return self.value


class Flavour(str, Enum):
    """Whose engine a file is: TensorRT's own, or TensorRT for RTX's. Neither loads the other's."""

    TENSORRT = "tensorrt"
    RTX = "rtx"

    def __str__(self) -> str:
        return self.value


class GraphRole(str, Enum):
    """`template` runs once per target, `search` every frame."""

    TEMPLATE = "template"
    SEARCH = "search"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class GraphFile:
    """One ONNX file of the bundle; `path` is relative to the bundle's folder, `macs` counts one sample.

    `kept_float`: of an INT8 graph, the Linears that were left in the float type to hold its accuracy.
    """

    role: GraphRole
    precision: Precision
    path: str
    sha256: str
    bytes: int
    macs: int
    recipe: Recipe = Recipe.PLAIN
    kept_float: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineFile:
    """One engine, and all that it is bound to.

    `target`: the GPU's compute capability as `sm86`; `version`: of the library that built it, as it names itself;
    `graph_sha256`: of the ONNX file that it was built from; `batch`: targets per call, fixed; `layers`: the builder's
    list of layers beside it, as JSON, with its hash.
    """

    role: GraphRole
    precision: Precision
    recipe: Recipe
    flavour: Flavour
    version: str
    target: str
    batch: int
    graph_sha256: str
    path: str
    sha256: str
    bytes: int
    layers: str
    layers_sha256: str
    layers_bytes: int


@dataclass(frozen=True)
class Calibration:
    """What an INT8 graph's ranges were taken from: `sha256` of the crops, how many, by which method, from where."""

    sha256: str
    crops: int
    method: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class HeldBackAgreement:
    """A precision against FP32 on footage that calibration did not see, from the same state frame by frame.

    `mean_iou`: of the boxes, in pixels of the crop; `same_cell`: share of frames with the same best cell; `engine`:
    what ran it.
    """

    precision: Precision
    recipe: Recipe
    frames: int
    mean_iou: float
    same_cell: float
    engine: str


@dataclass(frozen=True)
class ReferenceFile:
    """Crops and what the PyTorch network made of them (see `selftest`)."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Parity:
    """Largest difference between the PyTorch network and the exported graphs, over `crops` crops.

    Maps are in their own units (scores 0..1, sizes 0..1 of the crop, offsets in cells); boxes, compared at the
    reference's cell, in 0..1 of the crop; `kept_sets_equal` counts the crops whose kept tokens are the same sets,
    `same_cell` those whose best cell under the Hann window is the same.
    """

    precision: Precision
    crops: int
    score_map: float
    size_map: float
    offset_map: float
    box: float
    kept_sets_equal: int
    same_cell: int


@dataclass(frozen=True)
class Manifest:
    """What a bundle is.

    `kept_counts`: search tokens left after each stage that drops some, as the network's keep ratios give them; `batch`
    is None where the graphs take any batch; `source` says what the weights came from, `weights_sha256` is their hash;
    `trained` is False for made-up weights, whose boxes mean nothing.
    """

    schema: int
    network: NetworkGeometry
    kept_counts: tuple[int, ...]
    color: ColorOrder
    batch: int | None
    maps: bool
    opset: int
    source: str
    weights_sha256: str
    trained: bool
    created: str
    versions: dict[str, str]
    graphs: tuple[GraphFile, ...]
    reference: ReferenceFile
    parity: tuple[Parity, ...]
    engines: tuple[EngineFile, ...] = ()
    calibration: Calibration | None = None
    agreement: tuple[HeldBackAgreement, ...] = ()

    def __post_init__(self) -> None:
        if self.kept_counts != self.network.kept_counts:
            derived = list(self.network.kept_counts)
            raise BundleError(f"kept_counts are {list(self.kept_counts)}, the network's keep ratios give {derived}")
        if self.batch is not None and self.batch < 1:
            raise BundleError(f"batch is {self.batch}, not a number from 1")

    def graph(self, role: GraphRole, precision: Precision, recipe: Recipe | None = None) -> GraphFile:
        """The file of one graph; recipe None takes the first that there is. Raises BundleError naming what there is."""
        for file in self.graphs:
            if file.role is role and file.precision is precision and recipe in (None, file.recipe):
                return file
        have = ", ".join(f"{g.role} {g.precision}{_in_words(g.recipe)}" for g in self.graphs)
        wanted = f"{role} graph in {precision}{_in_words(recipe)}"
        raise BundleError(
            f"the bundle has no {wanted} (it has: {have}); build one that does with: ostrack-export build --precision"
        )

    def recipes(self, precision: Precision) -> tuple[Recipe, ...]:
        """The recipes in which both graphs are there in this precision."""
        roles: dict[Recipe, set[GraphRole]] = {}
        for file in self.graphs:
            if file.precision is precision:
                roles.setdefault(file.recipe, set()).add(file.role)
        return tuple(recipe for recipe, found in roles.items() if found == set(GraphRole))


def _in_words(recipe: Recipe | None) -> str:
    return "" if recipe in (None, Recipe.PLAIN) else f" ({recipe})"


def to_json(value: Any) -> Any:
    """A dataclass (or tuple, enum, plain value) as what `json.dumps` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    return value


T = TypeVar("T")


def from_json(kind: type[T], value: Any, where: str = "manifest") -> T:
    """Build the dataclass `kind` from parsed JSON. Raises BundleError naming the field that does not fit."""
    return _parse(kind, value, where)


def _parse(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        options = typing.get_args(kind)
        if value is None and type(None) in options:
            return None
        return _parse(next(o for o in options if o is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise BundleError(f"{where} should be a list, not {type(value).__name__}")
        item = typing.get_args(kind)[0]
        return tuple(_parse(item, v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise BundleError(f"{where} should be an object, not {type(value).__name__}")
        item = typing.get_args(kind)[1]
        return {str(k): _parse(item, v, f"{where}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(kind):
        return _parse_dataclass(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            raise BundleError(f"{where} is {value!r}; known are: {', '.join(str(m.value) for m in kind)}") from None
    return _parse_scalar(kind, value, where)


def _parse_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise BundleError(f"{where} should be an object, not {type(value).__name__}")
    hints = typing.get_type_hints(kind)
    fields = [f for f in dataclasses.fields(kind) if f.name in value or f.default is dataclasses.MISSING]
    missing = [f.name for f in fields if f.name not in value]
    if missing:
        raise BundleError(f"{where} lacks {', '.join(missing)}")
    try:
        return kind(**{f.name: _parse(hints[f.name], value[f.name], f"{where}.{f.name}") for f in fields})
    except BundleError:
        raise
    except OSTrackEdgeError as error:
        raise BundleError(f"{where}: {error}") from None


def _parse_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise BundleError(f"{where} is too large") from None
    if type(value) is not kind:
        raise BundleError(f"{where} should be {kind.__name__}, not {type(value).__name__}")
    return value


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the bundle in `folder`. Raises BundleError where it is missing, damaged or of a newer schema."""
    path = folder / MANIFEST_NAME
    advice = remedy(path, "build the bundle again")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(
            f"{folder} is no bundle: it holds no {MANIFEST_NAME}; make one with: ostrack-export build"
        ) from None
    except NotADirectoryError:
        raise BundleError(f"{folder} is no bundle: it is a file, a bundle is a folder") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is damaged ({error}); {advice}") from None
    if not isinstance(data, dict) or type(data.get("schema")) is not int:
        raise BundleError(f"{path} is damaged (it names no schema version); {advice}")
    if data["schema"] != SCHEMA:
        if data["schema"] > SCHEMA:
            raise BundleError(
                f"{path} has schema {data['schema']}, this package reads up to {SCHEMA}; "
                "upgrade it with: pip install -U ostrack-edge"
            )
        raise BundleError(f"{path} has schema {data['schema']}, this package reads {SCHEMA}; {advice}")
    try:
        return from_json(Manifest, data)
    except BundleError as error:
        raise BundleError(f"{path} is damaged ({error}); {advice}") from None
