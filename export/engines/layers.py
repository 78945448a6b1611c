"""The list of layers that the builder made: read from its log or from an engine's inspector, kept as JSON.

Where there is no GPU an engine cannot be asked for its layers, but with detailed profiling the builder's log ends with
the same list, a line each. Reading either, and the stored JSON, takes no engine library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...runtime.errors import BundleError, ExportError
from ...runtime.manifest import from_json, to_json

FORMAT = 1
"""Version of the stored JSON."""

_HEAD = "Name: "
_BEGINS = ("Layers:", "Engine Layer Information:")
_FIELD = re.compile(r", (LayerType|Inputs|Constants|Outputs|TacticName|TacticValue|Tactic|StreamId|Metadata): ")
_TENSOR = re.compile(r"\{ Name: (?P<name>.*?), Dimensions: \[(?P<shape>[-0-9,]*)\](?P<rest>.*?) \}(?=, \{|\])")
_TYPE = re.compile(r"(?:Datatype|Format/Datatype): (?P<type>[^,]+)")
_ONNX = "[ONNX Layer: "

_TYPES = {
    "half": "FP16", "fp16": "FP16", "float16": "FP16", "float": "FP32", "fp32": "FP32", "float32": "FP32",
    "int8": "INT8", "uint8": "UINT8", "int32": "INT32", "int64": "INT64", "bool": "BOOL", "bfloat16": "BF16",
    "bf16": "BF16", "fp8": "FP8", "float8": "FP8",
}  # fmt: skip
_TYPE_IN_WORDS = re.compile(r"\b(fp16|half|fp32|float|int8|uint8|int32|int64|bool|bf16|fp8)\b", re.IGNORECASE)


@dataclass(frozen=True)
class LayerTensor:
    """What goes in or out of a layer; dtype as FP16, FP32, INT8, INT32, ...; shape as the engine has it."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer of an engine. kind: the builder's type of it, in lower case; onnx: names of the nodes it computes."""

    name: str
    kind: str
    tactic: str
    onnx: tuple[str, ...]
    inputs: tuple[LayerTensor, ...]
    constants: tuple[LayerTensor, ...]
    outputs: tuple[LayerTensor, ...]


@dataclass(frozen=True)
class LayerList:
    """An engine's layers in its order; source: `log` or `inspector`."""

    format: int
    source: str
    layers: tuple[Layer, ...]


def layers_from_log(messages: Iterable[str]) -> LayerList:
    """The list at the end of the builder's log, one message an item. Raises ExportError where there is none."""
    lines = [line for message in messages for line in message.splitlines()]
    begins = [i for i, line in enumerate(lines) if line.strip() in _BEGINS]
    found: list[Layer] = []
    for line in lines[begins[-1] + 1 :] if begins else ():
        if line.startswith(_HEAD) and ", LayerType: " in line:
            found.append(_layer_of_line(line))
        elif found:
            break
    if not found:
        raise ExportError(
            "the builder's log holds no list of layers, so what it fused cannot be told; "
            "please report this with the version of the engine library"
        )
    return LayerList(FORMAT, "log", tuple(found))


def layers_from_inspector(text: str) -> LayerList:
    """The list from `IEngineInspector.get_engine_information(JSON)`. Raises ExportError where it is another."""
    try:
        items = json.loads(text)["Layers"]
        found = tuple(_layer_of_json(item) for item in items)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"the engine inspector gave no list of layers ({error!r})") from None
    if not found:
        raise ExportError("the engine inspector gave an empty list of layers")
    return LayerList(FORMAT, "inspector", found)


def layers_to_bytes(layers: LayerList) -> bytes:
    """The list as JSON, for the file beside an engine."""
    return (json.dumps(to_json(layers), separators=(",", ":")) + "\n").encode()


def layers_from_bytes(data: bytes, where: str) -> LayerList:
    """What `layers_to_bytes` wrote. where: the file, for the sentence. Raises BundleError."""
    remedy = "build the engine again with: ostrack-export engines"
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where} is damaged ({error}); {remedy}") from None
    if isinstance(parsed, dict) and parsed.get("format") != FORMAT:
        raise BundleError(f"{where} has format {parsed.get('format')!r}, this package reads {FORMAT}; {remedy}")
    try:
        return from_json(LayerList, parsed, "layers")
    except BundleError as error:
        raise BundleError(f"{where} is damaged ({error}); {remedy}") from None


def _layer_of_line(line: str) -> Layer:
    parts = _FIELD.split(line)
    fields = dict(zip(parts[1::2], parts[2::2], strict=True))
    return Layer(
        name=parts[0].removeprefix(_HEAD),
        kind=fields.get("LayerType", "").lower(),
        tactic=fields.get("TacticName", ""),
        onnx=_onnx_names(fields.get("Metadata", "")),
        inputs=_tensors(fields.get("Inputs", "")),
        constants=_tensors(fields.get("Constants", "")),
        outputs=_tensors(fields.get("Outputs", "")),
    )


def _tensors(text: str) -> tuple[LayerTensor, ...]:
    found = []
    for match in _TENSOR.finditer(text):
        kind = _TYPE.search(match["rest"])
        shape = tuple(int(d) for d in match["shape"].split(",") if d)
        found.append(LayerTensor(match["name"], _type_of(kind["type"] if kind else match["rest"]), shape))
    return tuple(found)


def _layer_of_json(item: Any) -> Layer:
    if isinstance(item, str):  # without detailed profiling there are names alone
        raise TypeError("it lists names only")
    return Layer(
        name=str(item["Name"]),
        kind=str(item["LayerType"]).lower(),
        tactic=str(item.get("TacticName", "")),
        onnx=_onnx_names(str(item.get("Metadata", ""))),
        inputs=_tensors_of_json(item.get("Inputs")),
        constants=_tensors_of_json(item.get("Constants")),
        outputs=_tensors_of_json(item.get("Outputs")),
    )


def _tensors_of_json(items: Any) -> tuple[LayerTensor, ...]:
    # Layers of the builder's own keep weights apart, as an object with counts and types, or as an empty list.
    found = []
    for item in items if isinstance(items, list) else ():
        kind = str(item.get("Datatype") or item.get("Format/Datatype") or item.get("Format") or "")
        shape = tuple(int(d) for d in item.get("Dimensions", ()))
        found.append(LayerTensor(str(item.get("Name", "")), _type_of(kind), shape))
    return tuple(found)


def _onnx_names(metadata: str) -> tuple[str, ...]:
    # Nodes are set apart by control characters, which versions differ in.
    return tuple(dict.fromkeys(part.rpartition("]")[0] for part in metadata.split(_ONNX)[1:]))


def _type_of(text: str) -> str:
    """Types are named apart, or inside a format such as `Row major linear FP16 format`."""
    plain = text.strip().lower()
    if plain in _TYPES:
        return _TYPES[plain]
    word = _TYPE_IN_WORDS.search(plain)
    return _TYPES[word[0].lower()] if word else text.strip()
