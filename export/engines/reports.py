"""The fusion reports of a bundle's engines, from the stored lists of layers alone."""

from __future__ import annotations

from ...runtime.bundle import Bundle
from ...runtime.errors import BundleError
from ...runtime.manifest import EngineFile, Precision
from .fusion import FusionReport, expected_blocks, report_fusion
from .layers import LayerList, layers_from_bytes
from .make import check_fused


def read_reports(bundle: Bundle, require_fused: bool = False) -> list[tuple[EngineFile, FusionReport]]:
    """Each engine with its report; neither the engines nor an engine library are looked at.

    Raises BundleError for a list that is missing or another than the manifest's; with `require_fused` ExportError for
    an FP16 or INT8 engine that is not fused, BundleError where there is none.
    """
    manifest = bundle.manifest
    if require_fused and all(engine.precision is Precision.FP32 for engine in manifest.engines):
        raise BundleError(
            f"{bundle.folder} holds no engine in FP16 or INT8 to require fusion of; build one with: "
            "ostrack-export engines --precision fp16"
        )
    lists = [(engine, _layers(bundle, engine)) for engine in manifest.engines]
    if require_fused:
        for engine, layers in lists:
            check_fused(manifest, engine, layers)
    depth = manifest.network.depth
    return [(engine, report_fusion(layers, expected_blocks(engine.role, depth))) for engine, layers in lists]


def _layers(bundle: Bundle, engine: EngineFile) -> LayerList:
    return layers_from_bytes(bundle.read_layers(engine), engine.layers)
