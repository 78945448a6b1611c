"""Engines as files of a bundle, beside those that it has."""

from __future__ import annotations

from pathlib import Path

from ...runtime.bundle import Bundle, file_sha256
from ...runtime.manifest import EngineFile, GraphFile
from .builder import BuiltEngine
from .flavours import EngineLibrary
from .layers import layers_to_bytes


def write_engine(
    folder: Path, built: BuiltEngine, graph: GraphFile, library: EngineLibrary, capability: str, batch: int
) -> EngineFile:
    """Write the engine and its list of layers into the subfolder `folder` of a bundle. Raises OSError."""
    name = f"{Path(graph.path).stem}.{library.flavour}.{capability}.b{batch}"
    engine, layers = folder / f"{name}.engine", folder / f"{name}.layers.json"
    engine.write_bytes(built.data)
    layers.write_bytes(layers_to_bytes(built.layers))
    return EngineFile(
        role=graph.role,
        precision=graph.precision,
        recipe=graph.recipe,
        flavour=library.flavour,
        version=library.version,
        target=capability,
        batch=batch,
        graph_sha256=graph.sha256,
        path=f"{folder.name}/{engine.name}",
        sha256=file_sha256(engine),
        bytes=engine.stat().st_size,
        layers=f"{folder.name}/{layers.name}",
        layers_sha256=file_sha256(layers),
        layers_bytes=layers.stat().st_size,
    )


def with_engines(bundle: Bundle, new: tuple[EngineFile, ...]) -> tuple[EngineFile, ...]:
    """The bundle's engines with the new ones in the place of those for the same use, and without those of graphs that
    it no longer has."""
    graphs = {graph.sha256 for graph in bundle.manifest.graphs}
    replaced = {_use(engine) for engine in new}
    kept = [e for e in bundle.manifest.engines if _use(e) not in replaced and e.graph_sha256 in graphs]
    return (*kept, *new)


def _use(engine: EngineFile) -> tuple[object, ...]:
    return engine.role, engine.precision, engine.recipe, engine.flavour, engine.target, engine.batch
