"""Putting a bundle on disk so that a reader finds the old one whole, or the new one whole."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..runtime.errors import BundleError
from ..runtime.manifest import MANIFEST_NAME, Manifest, read_manifest, to_json


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A new subfolder of `out` to write a bundle's files into; gone again where the body does not finish.

    Raises BundleError where `out` cannot hold a bundle: it is a file, a folder of something else, or not writable.
    """
    made = not out.exists()
    _check_target(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="build-", dir=out))
    except OSError as error:
        raise BundleError(f"the bundle {out} cannot be written: {error.strerror}; choose another --out") from None
    try:
        yield folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()
        if isinstance(error, OSError) and error.errno is not None:
            raise BundleError(
                f"the bundle {out} cannot be written: {error.strerror}; nothing was left behind"
            ) from error
        raise


def publish(out: Path, folder: Path, manifest: Manifest) -> None:
    """Make `folder`, inside `out`, the bundle: its files last, by one rename, then the replaced bundle's files go.

    The manifest's paths must be relative to `out`. Raises OSError; the old bundle then stays.
    """
    folder.chmod(0o755)
    partial = folder / MANIFEST_NAME
    with partial.open("w", encoding="utf-8") as file:
        json.dump(to_json(manifest), file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(out / MANIFEST_NAME)
    for other in out.glob("build-*"):
        if other.is_dir() and other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _check_target(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise BundleError(f"{out} is a file; a bundle is a folder, choose another --out")
    names = {p.name for p in out.iterdir() if not p.name.startswith("build-")}
    if names and MANIFEST_NAME not in names:
        raise BundleError(f"{out} is not empty and holds no bundle; choose another --out")
    if names:
        with contextlib.suppress(BundleError):  # a damaged bundle may be built anew
            read_manifest(out)
