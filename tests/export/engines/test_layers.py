"""Lists of layers: a recorded excerpt of a builder's log, the real one, an inspector's JSON, and what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ostrack_edge.export.engines.layers import (
    LayerTensor,
    layers_from_bytes,
    layers_from_inspector,
    layers_from_log,
    layers_to_bytes,
)
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BundleError, ExportError

EXCERPT = Path(__file__).with_name("excerpt.log")

INSPECTED = {
    "Layers": [
        {
            "Name": "__myl_Cast_myl0_0",
            "LayerType": "kgen",
            "Inputs": [
                {"Name": "search", "Dimensions": [1, 8, 8, 3], "Format/Datatype": "Row major linear UInt8 format"}
            ],
            "Outputs": [{"Name": "x", "Dimensions": [1, 192], "Format/Datatype": "Row major linear FP16 format"}],
            "TacticName": "__myl_Cast_0x1",
            "Metadata": "[ONNX Layer: embed/Cast]\x1e[ONNX Layer: embed/Reshape]",
        },
        {"Name": "reformat", "LayerType": "NoOp", "Inputs": [], "Outputs": [], "Constants": {"Count": 0}},
    ],
    "Bindings": ["search", "x"],
}


def test_a_recorded_log() -> None:
    found = layers_from_log(EXCERPT.read_text().splitlines())
    assert found.source == "log"
    assert [layer.kind for layer in found.layers] == ["kgen", "gemm", "kgen", "kgen", "kgen", "gemm"]
    first, product, attention = found.layers[:3]
    assert first.inputs == (LayerTensor("search", "UINT8", (1, 256, 256, 3)),)
    assert first.onnx == ("embed/Cast", "embed/Reshape", "embed/Transpose")
    assert product.onnx[0] == "blocks.0.qkv/MatMul"
    assert [t.dtype for t in (*product.inputs, *product.outputs)] == ["INT8", "FP16"]
    assert LayerTensor(product.constants[0].name, "INT8", (1, 768, 2304)) == product.constants[0]
    assert attention.name.startswith("_gemm_mha_v2")
    assert [t.dtype for t in attention.inputs] == ["FP16"] * 3
    assert "blocks.0/Softmax" in attention.onnx


def test_the_last_list_of_a_log_counts_and_ends_where_it_ends() -> None:
    lines = EXCERPT.read_text().splitlines()
    found = layers_from_log(["Layers:\n" + lines[2], *lines, "Name: later, LayerType: kgen, Inputs: []"])
    assert len(found.layers) == 6


def test_stored_and_read_again(built: Bundle) -> None:
    found = layers_from_log([EXCERPT.read_text()])
    assert layers_from_bytes(layers_to_bytes(found), "x") == found
    for engine in built.manifest.engines:
        stored = layers_from_bytes(built.read_layers(engine), engine.layers)
        assert layers_to_bytes(stored) == built.read_layers(engine)
        bindings = {t.name for layer in stored.layers for t in (*layer.inputs, *layer.outputs)}
        assert "search" in bindings or "template" in bindings
        assert "?" not in {t.dtype for layer in stored.layers for t in layer.inputs}


def test_an_inspector() -> None:
    found = layers_from_inspector(json.dumps(INSPECTED))
    assert found.source == "inspector"
    assert found.layers[0].onnx == ("embed/Cast", "embed/Reshape")
    assert [t.dtype for t in (*found.layers[0].inputs, *found.layers[0].outputs)] == ["UINT8", "FP16"]
    assert found.layers[1].kind == "noop"


@pytest.mark.parametrize("text", ["", "{}", '{"Layers": []}', '{"Layers": ["names alone"]}', '{"Layers": [{}]}', "[]"])
def test_what_is_no_inspector(text: str) -> None:
    with pytest.raises(ExportError, match="inspector gave"):
        layers_from_inspector(text)


def test_a_log_without_a_list() -> None:
    with pytest.raises(ExportError, match="holds no list of layers"):
        layers_from_log(["Engine generation completed", "Layers:", "none"])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "damaged"),
        (b"[]", "should be an object"),
        (b'{"format": 2}', "has format 2"),
        (b'{"format": 1}', "lacks"),
    ],
)
def test_a_stored_list_that_is_damaged(data: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        layers_from_bytes(data, "a.layers.json")
    assert "ostrack-export engines" in str(caught.value)
