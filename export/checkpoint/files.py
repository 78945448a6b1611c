"""Reads checkpoints from people one does not know, and writes safetensors.

Read are safetensors, `torch.save`'s zip archives, and the stream that torch wrote before 1.6; what a file is, is seen
from its content, since names lie (the published `.pth.tar` files are zip archives). Of a pickle, the state dict's
tensors are rebuilt by this package's own code; nothing that the file names is ever imported or called (how, and why not
torch's own restricted unpickler: `pickle_reader`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch

from ...models import remedy
from ...runtime.errors import CheckpointError, MissingExtraError
from .pickle_names import STORAGE_DTYPES, shown
from .tensor_records import state_dict_tensors
from .torch_archive import DAMAGED, open_stream, open_zip

_DTYPES = frozenset(getattr(torch, name) for name in STORAGE_DTYPES.values())
_HEAD = 512
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A state dict and where it came from.

    `tensors`: contiguous CPU tensors without gradients, by name, all values finite; those that share a storage in the
    file share memory. `metadata`: safetensors' texts, empty for pickles. `sha256`: of the whole file.
    """

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]
    sha256: str
    path: Path


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read the state dict of the checkpoint `path`, without trusting the file.

    The state dict lies under `net`, `state_dict` or `model`, or is the whole file. Raises CheckpointError where the
    file is missing, is no checkpoint, is damaged, refers to anything that runs, or holds values that are not finite;
    MissingExtraError where it is safetensors and that package is absent.
    """
    path = Path(path)
    try:
        with _opened(path) as (file, size):
            digest = _sha256(file)
            file.seek(0)
            tensors, metadata = _read_tensors(file, size, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(f"the checkpoint {path} cannot be read ({reason}); check its permissions") from None
    for name, tensor in tensors.items():
        _check_values(name, tensor, path)
    return Checkpoint(tensors, metadata, digest, path)


def write_safetensors(path: str | Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write a state dict and its texts to `path`, whole or not at all: an existing file stays until the new one is
    complete. Raises CheckpointError where the folder is missing, not writable or full; MissingExtraError."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_file
    except ImportError:
        raise MissingExtraError("safetensors", f"writing {path}", "export") from None
    path = Path(path)
    unfinished = path.parent / f".{path.name}.{os.getpid()}.unfinished"
    try:
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path} cannot be written: it is a folder or a device; give the path of a file")
        unfinished.touch()
        # safetensors makes a file of its own, for the owner alone; this one is to be as readable as any other.
        mode = stat.S_IMODE(unfinished.stat().st_mode)
        save_file(_unshared(tensors), unfinished, metadata=dict(metadata))
        unfinished.chmod(mode)
        unfinished.replace(path)
    except (SafetensorError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(
            f"{path} cannot be written: {shown(reason)}; choose a folder that exists, is writable and has space"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its size in bytes. Raises CheckpointError for what is no file with content."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"there is no checkpoint {path}; check the path") from None
    except ValueError as error:
        raise CheckpointError(f"{shown(str(path))!r} is no path of a checkpoint ({error}); check the path") from None
    if stat.S_ISDIR(status.st_mode):
        raise CheckpointError(f"{path} is a folder; give the checkpoint file in it")
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is a device or a pipe; give a checkpoint file")
    if not status.st_size:
        raise CheckpointError(f"the checkpoint {path} is empty; {remedy(path, DAMAGED)}")
    with path.open("rb") as file:
        yield file, status.st_size


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _read_tensors(file: BinaryIO, size: int, path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata, by the reader that the first bytes ask for."""
    head = file.read(_HEAD)
    # safetensors: the header's length (8 bytes, little-endian), then the header, which is JSON. Asked first: one length
    # in 256 begins as a pickle does.
    if head[8:9] == b"{" and not any(head[4:8]):
        return _read_safetensors(path)
    if head.startswith(b"PK"):
        return state_dict_tensors(open_zip(file, size, path), size, path), {}
    if head.startswith(b"\x80"):
        return state_dict_tensors(open_stream(file, size, path), size, path), {}
    raise CheckpointError(f"{path} is no checkpoint: {_what_it_is(head)}")


def _what_it_is(head: bytes) -> str:
    """What a file that is no checkpoint is, and what to do."""
    if head.startswith(b"version https://git-lfs"):
        return "it is the pointer that git-lfs leaves in its place; fetch the file itself with: git lfs pull"
    if head.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"7z\xbc\xaf", b"Rar!")):
        return "it is a compressed file; unpack it and give the file inside"
    if head[257:262] == b"ustar":
        return "it is a tar archive; unpack it, or, where torch before 0.2 wrote it, save it again with a recent torch"
    try:
        text = head.decode("utf-8", "strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if all(character.isprintable() or character in "\t\r\n" for character in text):
        return f"it is text that begins with {shown(text.strip()[:40])!r}; download the checkpoint file itself"
    return (
        "it is neither safetensors nor a file of torch.save (zip, or the format before torch 1.6); give the file that "
        f"the training wrote, or {DAMAGED}"
    )


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtraError("safetensors", f"reading {path}", "export") from None
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = dict(file.metadata() or {})
            # Copied out of the mapped file, which its owner may replace or cut while the tensors live.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path} is a damaged safetensors file ({shown(str(error))}); {remedy(path, DAMAGED)}"
        ) from None
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors; save the state_dict() of the model")
    return tensors, metadata


def _check_values(name: str, tensor: torch.Tensor, path: Path) -> None:
    if tensor.dtype not in _DTYPES:
        raise CheckpointError(
            f"{path}: the tensor {shown(name)!r} has elements of {tensor.dtype}, not of a type that weights have; "
            "save it as float32"
        )
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        bad = int(tensor.numel() - torch.isfinite(tensor).sum())
        raise CheckpointError(
            f"{path}: the tensor {shown(name)!r} holds {bad} values that are NaN or infinite (of {tensor.numel()}); "
            "take a checkpoint from before the training diverged"
        )


def _unshared(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Contiguous tensors of which no two share memory, as safetensors requires."""
    seen: set[int] = set()
    own: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        own[name] = tensor.detach().clone(memory_format=torch.contiguous_format) if place in seen else tensor.detach()
        own[name] = own[name].contiguous()
        seen.add(place)
    return own
