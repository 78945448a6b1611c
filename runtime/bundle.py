"""A bundle on disk: opened, checked, and replaced in one step.

Hashes prove that the files are the ones the manifest was written for; they do not prove who wrote them. A bundle is to
be trusted like code.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..models import remedy
from .errors import BundleError
from .manifest import EngineFile, GraphFile, Manifest, ReferenceFile, read_manifest


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class Bundle:
    """A folder whose manifest was read and whose graphs have the sizes and hashes that it names.

    Engines are looked at when one is asked for: a device has no use for those of other GPUs, and need not hold them.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Read and check the bundle in `folder`. Raises BundleError naming the file that is missing or damaged."""
        folder = Path(folder)
        manifest = read_manifest(folder)
        while True:
            bundle = cls(folder, manifest)
            try:
                bundle._check_files()
            except BundleError:
                # A build may have replaced the bundle between its manifest and its files: then the new one counts.
                manifest = read_manifest(folder)
                if manifest == bundle.manifest:
                    raise
            else:
                return bundle

    def _check_files(self) -> None:
        if not self.manifest.graphs:
            advice = remedy(self.folder, "build the bundle again")
            raise BundleError(f"{self.folder} lists no graphs in its manifest; {advice}")
        for file in (*self.manifest.graphs, self.manifest.reference):
            _check_file(self.path(file), file)

    def path(self, file: GraphFile | ReferenceFile | EngineFile) -> Path:
        """Where a file of the manifest lies. Raises BundleError for a name that leads out of the bundle."""
        return self._inside(file.path)

    def read_engine(self, engine: EngineFile) -> bytes:
        """The engine's bytes, which are the manifest's. Raises BundleError where the file is missing, cut short or
        another: deserialising an engine runs native code, so only what the manifest vouches for is handed on."""
        return self._read(self.path(engine), engine.sha256)

    def read_layers(self, engine: EngineFile) -> bytes:
        """The list of layers beside an engine, JSON. Raises BundleError as `read_engine` does."""
        return self._read(self._inside(engine.layers), engine.layers_sha256)

    def _read(self, path: Path, sha256: str) -> bytes:
        remedy = "build it again with: ostrack-export engines"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise BundleError(f"{path} is missing from the bundle; {remedy}") from None
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror}") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BundleError(f"{path} is damaged or another: its SHA-256 is not the manifest's; {remedy}")
        return data

    def _inside(self, name: str) -> Path:
        inside = PurePosixPath(name)
        if not name.isprintable() or inside.is_absolute() or ".." in inside.parts or "\\" in name or ":" in name:
            raise BundleError(f"the manifest of {self.folder} names a file outside of it: {name!r}; do not use it")
        return self.folder.joinpath(*inside.parts)


def _check_file(path: Path, file: GraphFile | ReferenceFile) -> None:
    advice = remedy(path, "copy or build the bundle again")
    try:
        size = path.stat().st_size
        if size != file.bytes:
            raise BundleError(f"{path} is damaged: it has {size} bytes and not {file.bytes}; {advice}")
        if file_sha256(path) != file.sha256:
            raise BundleError(f"{path} is damaged: its SHA-256 is not the manifest's; {advice}")
    except FileNotFoundError:
        raise BundleError(f"{path} is missing from the bundle; {advice}") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None
