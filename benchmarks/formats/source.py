"""A folder or a zip file as a set of text files."""

from __future__ import annotations

import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

from ...runtime.errors import BenchmarkError

_LARGEST = 64 * 2**20
"""Bytes of the largest text file that is read: a result of an hour of video has a few megabytes."""


class Source(ABC):
    """`path`: what the user named; `names`: the text files in it, relative, in order."""

    def __init__(self, path: Path, names: list[PurePosixPath]) -> None:
        self.path = path
        self.names = sorted(names)

    def where(self, name: PurePosixPath) -> str:
        """The file `name`, for a sentence."""
        return str(self.path / name)

    def read(self, name: PurePosixPath) -> str:
        """The text of a file. Raises BenchmarkError for one that is damaged or no text, OSError."""
        try:
            data = self._bytes(name)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
            raise BenchmarkError(f"{self.where(name)} cannot be unpacked: {error}; get a whole copy") from None
        if len(data) > _LARGEST:
            raise BenchmarkError(f"{self.where(name)} is larger than {_LARGEST >> 20} MB, so it is no result file")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise BenchmarkError(
                f"{self.where(name)} is no text file; it should hold a line of numbers per frame"
            ) from None

    @abstractmethod
    def _bytes(self, name: PurePosixPath) -> bytes:
        """At most one byte more than the largest file that is read."""


class _Folder(Source):
    def __init__(self, path: Path) -> None:
        found = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
        super().__init__(path, [PurePosixPath(p.relative_to(path).as_posix()) for p in found if p.suffix == ".txt"])

    def _bytes(self, name: PurePosixPath) -> bytes:
        with (self.path / name).open("rb") as file:
            return file.read(_LARGEST + 1)


class _Zip(Source):
    def __init__(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                names = [PurePosixPath(name) for name in archive.namelist() if name.endswith(".txt")]
        except zipfile.BadZipFile as error:
            raise BenchmarkError(f"{path} is no zip file, or a damaged one: {error}; get a whole copy") from None
        # What the packer of macOS adds beside every file.
        super().__init__(path, [name for name in names if "__MACOSX" not in name.parts])

    def _bytes(self, name: PurePosixPath) -> bytes:
        with zipfile.ZipFile(self.path) as archive, archive.open(str(name)) as file:
            return file.read(_LARGEST + 1)


def open_source(path: Path) -> Source:
    """Raises BenchmarkError for what is neither a folder nor a zip file, or holds no text files."""
    if path.is_dir():
        source: Source = _Folder(path)
    elif path.is_file():
        source = _Zip(path)
    else:
        raise BenchmarkError(f"there are no results at {path}: it is neither a folder nor a zip file; check the path")
    if not source.names:
        raise BenchmarkError(f"{path} holds no result files: looked for *.txt there and in the folders below")
    return source
