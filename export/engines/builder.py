"""One engine from one ONNX file.

The builder's objects refer to each other and to a logger that it locks: one that outlives its build, in a traceback or
a reference cycle, hangs the next build or the interpreter's end. So they live in one function, which raises nothing,
and they go in a fixed order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...runtime.errors import ExportError
from .flavours import EngineLibrary
from .layers import LayerList, layers_from_inspector, layers_from_log
from .monitor import Notes, Say, Stop, heeding_signals, make_logger, make_monitor
from .targets import set_target

_ERRORS = 3
"""Of the builder's errors, those that a sentence holds: the first ones, which the others follow from."""


@dataclass(frozen=True)
class BuildOptions:
    """workspace: MiB of scratch memory at most, None for the library's own bound; level: how hard it optimises, 0..5,
    None for its own; timing_cache: what an earlier build measured, empty for none, None to keep none."""

    workspace: int | None = None
    level: int | None = None
    timing_cache: bytes | None = None


@dataclass(frozen=True, eq=False)
class BuiltEngine:
    """An engine's bytes, its layers, the cache with what was measured, and the seconds that it took."""

    data: bytes
    layers: LayerList
    timing_cache: bytes | None
    seconds: float


def build_engine(
    library: EngineLibrary, graph: Path, capability: str, batch: int, options: BuildOptions, say: Say
) -> BuiltEngine:
    """Build the ONNX file `graph` for a GPU of `capability`, as `sm86`, and `batch` targets per call.

    The network is strongly typed: each number has the type that the graph gives it. Raises ExportError, in the
    builder's words, where the file does not parse or no engine comes of it; Ctrl-C stops it and is raised as ever.
    """
    begun = time.perf_counter()
    notes = Notes()
    with heeding_signals() as stop:
        outcome = _attempt(library, graph, capability, batch, options, stop, say, notes)
    if stop.error is not None:
        raise stop.error
    if isinstance(outcome, str):
        said = f" ({'; '.join(tuple(dict.fromkeys(notes.errors))[:_ERRORS])})" if notes.errors else ""
        raise ExportError(f"{library.name} {library.version} builds no engine of {graph.name}: {outcome}{said}")
    data, information, cache = outcome
    layers = layers_from_inspector(information) if information else layers_from_log(notes.layer_list)
    return BuiltEngine(data, layers, cache, time.perf_counter() - begun)


def _attempt(
    library: EngineLibrary, graph: Path, capability: str, batch: int, options: BuildOptions,
    stop: Stop, say: Say, notes: Notes,
) -> tuple[bytes, str, bytes | None] | str:  # fmt: skip
    """The engine, what its inspector says of it, and the timing cache; or why there is none."""
    module = library.module
    logger = builder = network = parser = config = profile = cache = memory = None
    try:
        logger = make_logger(module, notes)
        builder = module.Builder(logger)
        if builder is None:
            return "it makes no builder"
        say("parsing")
        network = builder.create_network(1 << int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = module.OnnxParser(network, logger)
        if not parser.parse_from_file(str(graph)):
            return "it does not parse: " + "; ".join(_problem(parser.get_error(i)) for i in range(parser.num_errors))
        config = builder.create_builder_config()
        config.profiling_verbosity = module.ProfilingVerbosity.DETAILED
        config.progress_monitor = make_monitor(module, stop, say)
        profile = builder.create_optimization_profile()
        cache = _make_cache(config, options)
        refused = (
            set_target(library, config, capability)
            or _apply(module, config, options)
            or _fix_batch(network, profile, config, batch)
            or ("the timing cache is none of its own" if cache is None and options.timing_cache is not None else None)
        )
        if refused:
            return refused
        memory = builder.build_serialized_network(network, config)
        if stop.asked:
            return "it was stopped"
        if memory is None:
            return "the builder failed"
        data = bytes(memoryview(memory))
        kept = None if cache is None else bytes(memoryview(config.get_timing_cache().serialize()))
        return data, _inspect(module, logger, data) if library.inspects else "", kept
    except Exception as error:  # with its traceback the builder's objects would live on
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    finally:
        if config is not None:
            config.progress_monitor = None
        del memory, cache, profile, config, parser, network, builder, logger


def _problem(error: Any) -> str:
    name = error.node_name() if hasattr(error, "node_name") else ""
    return " ".join(str(error.desc()).split()) + (f" (node {name})" if name else "")


def _make_cache(config: Any, options: BuildOptions) -> Any:
    if options.timing_cache is None:
        return None
    cache = config.create_timing_cache(options.timing_cache)
    return cache if cache is not None and config.set_timing_cache(cache, False) else None


def _apply(module: Any, config: Any, options: BuildOptions) -> str | None:
    if options.workspace is not None:
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, options.workspace << 20)
    if options.level is not None:
        if not hasattr(config, "builder_optimization_level"):
            return "it has no optimisation levels"
        config.builder_optimization_level = options.level
    return None


def _fix_batch(network: Any, profile: Any, config: Any, batch: int) -> str | None:
    """Where the graph takes any batch, one profile holds it at `batch`."""
    symbolic = False
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        shape = tuple(tensor.shape)
        if -1 in shape[1:]:
            return f"its input {tensor.name} has a size beside the batch that is not fixed"
        if shape[:1] == (-1,):
            fixed = (batch, *shape[1:])
            profile.set_shape(tensor.name, fixed, fixed, fixed)
            symbolic = True
    if symbolic and config.add_optimization_profile(profile) < 0:
        return f"it does not take {batch} targets per call"
    return None


def _inspect(module: Any, logger: Any, data: bytes) -> str:
    """The layers as the engine itself tells them, as JSON."""
    runtime = module.Runtime(logger)
    engine = runtime.deserialize_cuda_engine(data)
    if engine is None:
        raise RuntimeError("the library does not load the engine that it has built")
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(module.LayerInformationFormat.JSON)
    del inspector, engine, runtime
    return text
