"""Putting a bundle on disk so that a reader finds the old one whole, or the new one whole."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..runtime.errors import BundleError, OutputError
from ..runtime.files import whole_or_nothing
from ..runtime.manifest import MANIFEST_NAME, SCHEMA, Manifest, to_json

PREFIX = "ostrack-"
"""Of the subfolders that hold a bundle's files."""

UNFINISHED = ".unfinished"
"""A file that marks a subfolder whose build has not ended; one that is left over is a stopped build's."""


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A new subfolder of `out` to write a bundle's files into; gone again where the body does not finish.

    One build at a time may write to `out`. Raises BundleError where another one does, or where `out` cannot hold a
    bundle: it is a file, a folder of something else, holds a newer bundle, or is not writable.
    """
    made = not out.exists()
    check_target(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _locked(out):
            folder = _new_folder(out)
            try:
                yield folder
            except BaseException:  # an interruption too leaves nothing behind; raised again
                if folder.name not in _folders(_files_of(out)):
                    shutil.rmtree(folder, ignore_errors=True)
                raise
    except BaseException as error:
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()
        cause = error.__cause__ if isinstance(error, OutputError) else error
        if isinstance(cause, OSError) and cause.errno is not None:
            raise BundleError(
                f"the bundle {out} cannot be written: {cause.strerror}; nothing was left behind"
            ) from error
        raise


def publish(out: Path, folder: Path, manifest: Manifest) -> None:
    """Make `folder`, inside `out`, the bundle: by one rename, last; then the files of the bundle before go.

    The manifest's paths must be relative to `out`. Raises OutputError, OSError; the old bundle then stays.
    """
    before = _folders(_files_of(out))
    _replace_manifest(out, folder, manifest)
    for name in before - {folder.name}:
        shutil.rmtree(out / name, ignore_errors=True)


def amend(out: Path, folder: Path, manifest: Manifest) -> None:
    """Add `folder`, made by `staging` inside `out`, to the bundle there: by one rename, last; then those files go that
    the new manifest no longer names. Raises OutputError, OSError; the bundle then stays as it was.
    """
    before = _files_of(out)
    _replace_manifest(out, folder, manifest)
    after = _files_of(out)
    for name in before - after:
        with contextlib.suppress(OSError):
            (out / name).unlink()
    for name in _folders(before) - _folders(after):
        with contextlib.suppress(OSError):
            (out / name).rmdir()


def _replace_manifest(out: Path, folder: Path, manifest: Manifest) -> None:
    folder.chmod(0o755)
    (folder / UNFINISHED).unlink()
    with whole_or_nothing(out / MANIFEST_NAME) as partial, partial.open("w", encoding="utf-8") as file:
        json.dump(to_json(manifest), file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def check_target(out: Path) -> None:
    """Raise BundleError unless `out` is absent, empty, or a bundle that this version may replace."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BundleError(f"{out} is a file; a bundle is a folder, choose another --out")
    if all(_is_leftover(path) for path in out.iterdir()):
        return
    data = _manifest_data(out)
    if data is None:
        raise BundleError(f"{out} is not empty and holds no bundle; choose another --out")
    if data["schema"] > SCHEMA:
        raise BundleError(
            f"{out} holds a bundle of schema {data['schema']}, newer than this package's; choose another --out"
        )


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold `out` for one build; the system lets go of it however the process ends."""
    handle = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise BundleError(f"another build is writing to {out}; wait for it, or choose another --out") from None
    try:
        yield
    finally:
        os.close(handle)


def _new_folder(out: Path) -> Path:
    """A marked subfolder; what stopped builds left is cleared away, which only the holder of the lock may do."""
    for path in out.iterdir():
        if _is_leftover(path):
            shutil.rmtree(path, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=out))
    (folder / UNFINISHED).touch()
    return folder


def _is_leftover(path: Path) -> bool:
    return path.name.startswith(PREFIX) and (path / UNFINISHED).is_file()


def _manifest_data(out: Path) -> dict | None:
    """The manifest of a bundle, of whatever version; None for a file that is no bundle's."""
    try:
        data = json.loads((out / MANIFEST_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or type(data.get("schema")) is not int:
        return None
    return data if isinstance(data.get("network"), dict) and isinstance(data.get("graphs"), list) else None


def _files_of(out: Path) -> set[str]:
    """The present manifest's files that a build could have made, each inside a subfolder of its own kind."""
    data = _manifest_data(out) or {}
    entries = [*_list(data, "graphs"), *_list(data, "engines"), data.get("reference")]
    named = [entry.get(key) for entry in entries if isinstance(entry, dict) for key in ("path", "layers")]
    return {
        path
        for path in named
        if isinstance(path, str) and path.startswith(PREFIX) and path.count("/") == 1 and ".." not in path
    }


def _list(data: dict, key: str) -> list:
    found = data.get(key)
    return found if isinstance(found, list) else []


def _folders(files: set[str]) -> set[str]:
    return {path.split("/")[0] for path in files}
