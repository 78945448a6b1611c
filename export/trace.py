"""From the PyTorch graphs to ONNX models."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import torch
from onnx import ModelProto
from torch import Tensor, nn

from ..runtime.errors import ExportError
from ..runtime.network import ColorOrder
from .graphs import SearchGraph, TemplateGraph
from .model import OSTrack
from .passes import MAP_NAMES, clean, drop_unused
from .promises import OPSET, check_promises


def trace_template(network: OSTrack, color: ColorOrder, batch: int | None) -> ModelProto:
    """The `template` graph; batch None makes it symbolic. Raises ExportError."""
    geometry = network.geometry
    graph = TemplateGraph(network, color).eval()
    size, samples = geometry.template_size, _samples(batch)
    inputs = {"template": torch.zeros(samples, size, size, 3, dtype=torch.uint8)}
    if graph.ranks_by_box:
        inputs["template_box"] = torch.tensor([[0.25, 0.25, 0.5, 0.5]]).expand(samples, -1).contiguous()
    model = _trace(graph, inputs, graph.output_names, batch)
    check_promises(model, norms=_norms(graph), batch=batch)
    return model


def trace_search(network: OSTrack, color: ColorOrder, batch: int | None, maps: bool) -> ModelProto:
    """The `search` graph, with the three maps among its outputs where `maps`. Raises ExportError."""
    geometry = network.geometry
    graph = SearchGraph(network, color).eval()
    samples, tokens, width = _samples(batch), geometry.template_token_count, geometry.width
    if not geometry.joint_blocks:
        width = geometry.head_inputs
    size, grid = geometry.search_size, geometry.search_grid
    inputs = {
        "template_tokens": torch.zeros(samples, tokens, width),
        "search": torch.zeros(samples, size, size, 3, dtype=torch.uint8),
        "window": torch.ones(grid, grid),
    }
    if graph.ranks_by_box:
        inputs["template_weights"] = torch.full((samples, tokens), 1 / tokens)
    if geometry.separate_blocks:
        inputs["template_qkv"] = torch.zeros(samples, tokens, 3 * width)
    model = _trace(graph, inputs, graph.output_names, batch)
    if not maps:
        kept = [o for o in model.graph.output if o.name not in MAP_NAMES]
        dropped = [o for o in model.graph.output if o.name in MAP_NAMES]
        del model.graph.output[:]
        model.graph.output.extend(kept)
        model.graph.value_info.extend(dropped)
        drop_unused(model)
    check_promises(model, norms=_norms(graph), batch=batch)
    return model


def _norms(graph: nn.Module) -> int:
    return sum(isinstance(module, nn.LayerNorm) for module in graph.modules())


def _samples(batch: int | None) -> int:
    # A symbolic size is traced with two samples: one would be taken for a constant.
    return 2 if batch is None else batch


def _trace(graph: nn.Module, inputs: dict[str, Tensor], outputs: list[str], batch: int | None) -> ModelProto:
    shapes = None
    if batch is None:
        symbol = torch.export.Dim("batch", min=1, max=1024)
        shapes = {name: {} if name == "window" else {0: symbol} for name in inputs}
    with _quiet() as printed, torch.no_grad():
        try:
            program = torch.onnx.export(
                graph,
                kwargs=inputs,
                dynamo=True,
                optimize=True,
                external_data=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=outputs,
                dynamic_shapes=shapes,
                verbose=False,
            )
        except Exception as error:  # the exporter's errors share no base class
            cause = _innermost(error)
            if isinstance(cause, KeyboardInterrupt):
                raise cause from None
            first = next(iter(str(cause).strip().splitlines()), "")
            name = type(graph).__name__
            raise ExportError(
                f"torch {torch.__version__} could not export {name}: {type(cause).__name__}: {first}"
            ) from error
    assert program is not None, printed.getvalue()
    model = clean(program.model_proto)
    model.producer_name = "ostrack-edge"
    return model


def _innermost(error: BaseException) -> BaseException:
    """What really happened: the exporter wraps it, an interruption too."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    """Keep the exporter's notes about packages that nobody here needs off the user's screen."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
            warnings.simplefilter("ignore")
            yield printed
    finally:
        logger.setLevel(level)
