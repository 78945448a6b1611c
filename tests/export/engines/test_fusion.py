"""What is read from lists of layers about fusion, on made lists and on those of engines really built."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from ostrack_edge.export.engines.fusion import FusionReport, expected_blocks, report_fusion, shortfalls
from ostrack_edge.export.engines.layers import Layer, LayerList, LayerTensor, layers_from_bytes
from ostrack_edge.export.engines.reports import read_reports
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.errors import BundleError
from ostrack_edge.runtime.manifest import EngineFile, Flavour, GraphRole, Precision, Recipe

ENGINE = EngineFile(
    GraphRole.SEARCH, Precision.INT8, Recipe.LINEARS, Flavour.RTX, "1", "sm86", 1, "", "", "", 0, "", "", 0
)
HALF = dataclasses.replace(ENGINE, precision=Precision.FP16, recipe=Recipe.PLAIN)


def layer(
    name: str, into: Sequence[str], out: Sequence[str], *onnx: str, kind: str = "kgen", weight: str = ""
) -> Layer:
    def tensors(dtypes: Sequence[str]) -> tuple[LayerTensor, ...]:
        return tuple(LayerTensor(f"t{i}", dtype, (1, 8, 8)) for i, dtype in enumerate(dtypes))

    return Layer(name, kind, "", onnx, tensors(into), tensors([weight] if weight else []), tensors(out))


MHA = layer("_gemm_mha_v2_myl0_7", ["FP16"] * 3, ["FP16"], "blocks.0/MatMul", "blocks.0/Softmax")
QKV = layer("a", ["INT8"], ["FP16"], "blocks.0.qkv/MatMul", kind="gemm", weight="INT8")
SCALES = layer("__myl_MulAdd_myl0_1", ["FP16"], ["FP16"], "blocks.0.qkv/MatMul", "blocks.0.qkv/Add")
FC1 = layer("__myl_FcAdd_myl0_2", ["FP16", "FP16"], ["FP16"], "blocks.0.mlp.fc1/MatMul", weight="FP16")


def report(*layers: Layer, blocks: Sequence[str] = ("blocks.0",)) -> FusionReport:
    return report_fusion(LayerList(1, "log", layers), blocks)


def test_a_fused_attention_and_linears_of_two_types() -> None:
    found = report(MHA, QKV, SCALES, FC1)
    assert [(a.block, a.fused, a.dtype) for a in found.attentions] == [("blocks.0", True, "FP16")]
    assert [(x.module, x.dtype) for x in found.linears] == [("blocks.0.qkv", "INT8"), ("blocks.0.mlp.fc1", "FP16")]
    assert (found.fused, found.kernels, found.casts, found.moves) == (1, 4, (), ())


def test_an_attention_of_several_kernels_is_none_that_is_fused() -> None:
    apart = layer("__myl_MaxrSubExpSum_myl0_3", ["FP16"], ["FP16"], "blocks.0/Softmax")
    assert report(apart).fused == 0
    both = dataclasses.replace(apart, onnx=("blocks.0/Softmax",), name="ranking")
    assert report(both, MHA).fused == 1


def test_a_list_in_which_nothing_is_named_is_no_success() -> None:
    found = report(dataclasses.replace(MHA, onnx=()), blocks=expected_blocks(GraphRole.SEARCH, 2))
    assert [a.block for a in found.attentions if not a.fused] == ["blocks.0", "blocks.1"]
    words = shortfalls(found, HALF)
    assert words == ["attention not fused in blocks.0, blocks.1", "no Linears found in blocks.0, blocks.1"]


@pytest.mark.parametrize(
    ("change", "cast", "move"),
    [
        (layer("__myl_Cast_myl0_1", ["FP32"], ["FP16"]), True, False),
        (layer("__myl_ReshCast_myl0_1", ["FP16"], ["FP32"]), True, False),
        (layer("__myl_Cast_myl0_1", ["INT64"], ["INT32"]), False, False),
        (layer("__myl_MulMinMaxRounCast_myl0_1", ["FP16"], ["INT8"]), True, False),
        (layer("__myl_AddMulMinMaxRounCast_myl0_1", ["FP16"], ["INT8"]), False, False),
        (layer("__myl_CastReshTran_myl0_0", ["UINT8"], ["FP16"]), False, False),
        (layer("__myl_MoveReshTran_myl0_8", ["INT8"], ["INT8"]), False, True),
        (layer("Reformatting CopyNode for x", ["FP16"], ["FP16"], kind="reformat"), False, True),
        (layer("__myl_AddResh_myl0_8", ["FP16"], ["FP16"]), False, False),
        (layer("x", ["FP16"], ["FP32"], kind="cast"), True, False),
    ],
)
def test_kernels_that_only_convert_or_move(change: Layer, cast: bool, move: bool) -> None:
    found = report(change)
    assert (bool(found.casts), bool(found.moves)) == (cast, move)


def test_linears_in_the_wrong_type_are_named() -> None:
    found = report(MHA, QKV, FC1)
    assert shortfalls(found, ENGINE) == ["blocks.0.mlp.fc1 in FP16, not INT8"]
    assert shortfalls(found, ENGINE, kept_float=["blocks.0.mlp.fc1"]) == []
    assert shortfalls(found, HALF) == ["blocks.0.qkv in INT8, not FP16"]
    full = dataclasses.replace(ENGINE, precision=Precision.FP32, recipe=Recipe.PLAIN)
    assert shortfalls(found, full) == []


def test_the_attention_has_to_be_in_its_precision() -> None:
    whole = dataclasses.replace(ENGINE, recipe=Recipe.ATTENTION)
    assert shortfalls(report(MHA, QKV), whole) == ["attention of blocks.0 in FP16, not INT8"]
    assert shortfalls(report(MHA, QKV), whole, kept_float=["blocks.0"]) == []
    assert shortfalls(report(dataclasses.replace(MHA, inputs=QKV.inputs), QKV), whole) == []


def test_weights_alone_in_int8_are_no_int8() -> None:
    mixed = layer("a", ["FP16"], ["FP16"], "blocks.0.qkv/MatMul", kind="gemm", weight="INT8")
    assert shortfalls(report(MHA, mixed), ENGINE) == ["blocks.0.qkv in FP16 with weights in INT8, not INT8"]


def test_a_bias_laid_out_in_rows_is_no_weight_of_a_product() -> None:
    rows = dataclasses.replace(SCALES, constants=(LayerTensor("bias", "FP16", (3, 64, 1)),))
    assert [(t.module, t.dtype) for t in report(MHA, QKV, rows).linears] == [("blocks.0.qkv", "INT8")]
    assert [(t.module, t.dtype) for t in report(MHA, rows).linears] == [("blocks.0.qkv", "?")]


def test_without_constants_the_product_is_found_by_its_kind() -> None:
    plain = layer("blocks.0.qkv/MatMul", ["INT8"], ["FP16"], "blocks.0.qkv/MatMul", kind="gemm")
    assert [x.dtype for x in report(plain, SCALES).linears] == ["INT8"]
    assert [x.dtype for x in report(dataclasses.replace(SCALES, constants=())).linears] == ["?"]


def test_engines_really_built(built: Bundle) -> None:
    reports = read_reports(built, require_fused=True)
    assert len(reports) == len(built.manifest.engines)
    for engine, found in reports:
        if engine.role is GraphRole.TEMPLATE:
            assert not found.attentions
            continue
        assert [a.block for a in found.attentions if a.fused] == ["blocks.0", "blocks.1"]
        wanted = "INT8" if engine.precision is Precision.INT8 else "FP16"
        assert {x.dtype for x in found.linears} == {wanted}
        assert len(found.linears) >= 8
        assert {a.dtype for a in found.attentions} == {"INT8" if engine.recipe is Recipe.ATTENTION else "FP16"}
        assert found.kernels == len(layers_from_bytes(built.read_layers(engine), "").layers)


def test_fusion_cannot_be_required_of_nothing(graphs: object, bare: object) -> None:
    with pytest.raises(BundleError, match="no engine in FP16 or INT8 to require fusion of"):
        read_reports(Bundle.open(str(bare)), require_fused=True)
