"""The two containers that `torch.save` writes: the zip archive, and the plain stream of torch before 1.6.

Both end in a `TorchFile`: the pickled object read as data, and a way to fetch the bytes of one storage. No weight is
read before it is asked for, and never more bytes than the file holds.
"""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ...runtime.errors import CheckpointError
from .pickle_names import shown
from .pickle_reader import PICKLE_LIMIT, read_pickle
from .pickle_values import StorageId

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
"""The first pickle of torch's stream format."""

_STREAM_PROTOCOL = 1001
_ENCRYPTED = 0x1
DAMAGED = "copy or download it again"

# What zipfile raises on archives that make no sense; its refusals of features are RuntimeErrors too.
_ZIP_ERRORS = (zipfile.BadZipFile, EOFError, ValueError, OverflowError, OSError, RuntimeError, struct.error)


@dataclass(frozen=True)
class TorchFile:
    """`root` is the saved object as data; `storage_bytes` reads a storage: `count` elements, of exactly that size, or a
    CheckpointError. It works while the file is open."""

    root: Any
    storage_bytes: Callable[[StorageId], bytearray]


def storage_size(storage: StorageId) -> int:
    """Bytes of a storage."""
    return storage.count * getattr(torch, storage.dtype).itemsize


def open_zip(file: BinaryIO, size: int, where: Path) -> TorchFile:
    """Open the zip archive of `torch.save` in `file`, of `size` bytes. Raises CheckpointError."""
    try:
        archive = zipfile.ZipFile(file)
    except _ZIP_ERRORS as error:
        raise CheckpointError(
            f"{where} is a damaged or unfinished zip archive ({shown(str(error))}); {DAMAGED}"
        ) from None
    entries = _named_entries(archive, where)
    folder = _torch_folder(entries, where)
    _check_sizes(entries, size, where)
    pickled = entries[f"{folder}/data.pkl"]
    if pickled.file_size > PICKLE_LIMIT:
        raise CheckpointError(
            f"{where} describes its tensors in {pickled.file_size} bytes of pickle, more than the {PICKLE_LIMIT} that "
            "any model needs; have the model's state_dict() alone saved"
        )
    order = entries.get(f"{folder}/byteorder")
    if order is not None:
        _check_byte_order(_entry_bytes(archive, order, where).decode("latin-1"), where)

    def storage_bytes(storage: StorageId) -> bytearray:
        entry = entries.get(f"{folder}/data/{storage.key}")
        held = 0 if entry is None else entry.file_size
        if entry is None or held != storage_size(storage):
            raise _wrong_size(storage, held, where)
        return bytearray(_entry_bytes(archive, entry, where))

    content = read_pickle(io.BytesIO(_entry_bytes(archive, pickled, where)), where)
    return TorchFile(content.root, storage_bytes)


def _named_entries(archive: zipfile.ZipFile, where: Path) -> dict[str, zipfile.ZipInfo]:
    """The entries by name. Refuses names that occur twice, of which readers differ in what they take, and names that
    lead out of the archive: `torch.save` writes neither."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name, label = entry.orig_filename, shown(entry.orig_filename)
        if name in entries:
            raise CheckpointError(f"{where} holds the entry {label} twice, which torch.save never writes; {DAMAGED}")
        if any(part in ("", ".", "..") for part in name.split("/")) or any(c in name for c in "\\\0"):
            raise CheckpointError(
                f"{where} holds an entry named {label}, which leads out of the archive or is none of torch.save's; "
                "save the model's state_dict() with torch.save again"
            )
        entries[name] = entry
    return entries


def _torch_folder(entries: dict[str, zipfile.ZipInfo], where: Path) -> str:
    """The one folder in which `torch.save` puts all entries. Refuses other zip archives, TorchScript by name."""
    folders = {name.partition("/")[0] for name in entries}
    folder = folders.pop() if len(folders) == 1 else ""
    if f"{folder}/data.pkl" not in entries:
        raise CheckpointError(
            f"{where} is a zip archive, but none that torch.save wrote: it holds no folder with a data.pkl and nothing "
            "beside it; give the checkpoint file itself"
        )
    if f"{folder}/constants.pkl" in entries or any(name.startswith(f"{folder}/code/") for name in entries):
        raise CheckpointError(
            f"{where} is a TorchScript archive, which holds a program beside its weights; "
            "save the model's state_dict() with torch.save instead"
        )
    return folder


def _check_sizes(entries: dict[str, zipfile.ZipInfo], size: int, where: Path) -> None:
    """Refuse entries that unpack to more than the file of `size` bytes: compressed ones and overlapping ones."""
    for name, entry in entries.items():
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise CheckpointError(
                f"{where} holds the compressed entry {shown(name)} ({entry.file_size} bytes in {entry.compress_size}), "
                "but torch.save never compresses; save the model's state_dict() with torch.save again"
            )
        if entry.flag_bits & _ENCRYPTED:
            raise CheckpointError(f"{where} holds the encrypted entry {shown(name)}; decrypt the checkpoint first")
    total = sum(entry.file_size for entry in entries.values())
    if total > size:
        raise CheckpointError(f"{where} holds overlapping entries: {total} bytes in a file of {size}; {DAMAGED}")


def _entry_bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: Path) -> bytes:
    try:
        data = archive.read(entry)
    except _ZIP_ERRORS as error:
        raise CheckpointError(f"{where} is damaged ({shown(str(error))}); {DAMAGED}") from None
    if len(data) != entry.file_size:
        raise CheckpointError(f"{where} is damaged (its entry {shown(entry.filename)} breaks off); {DAMAGED}")
    return data


def open_stream(file: BinaryIO, size: int, where: Path) -> TorchFile:
    """Open torch's format before 1.6 in `file`, of `size` bytes: pickles (magic number, protocol, system, object,
    storage keys), then for each key its element count (int64) and its elements. Raises CheckpointError.
    """
    file.seek(0)
    stream = io.BytesIO(file.read(PICKLE_LIMIT))
    magic = read_pickle(stream, where).root
    if type(magic) is not int or magic != MAGIC_NUMBER:
        raise CheckpointError(
            f"{where} is a pickle, but none that torch.save wrote; save the model's state_dict() with torch.save"
        )
    protocol = read_pickle(stream, where).root
    system = read_pickle(stream, where).root
    if type(protocol) is not int or protocol != _STREAM_PROTOCOL or type(system) is not dict:
        raise CheckpointError(
            f"{where} is of an old torch format that is not known here; save it again with a recent torch"
        )
    _check_byte_order("little" if system.get("little_endian") is True else "big", where)
    content = read_pickle(stream, where)
    keys = read_pickle(stream, where).root
    if type(keys) is not list or any(type(key) is not str for key in keys):
        raise CheckpointError(f"{where} is damaged (it lists no storages); {DAMAGED}")
    places = _stream_places(keys, content.storages, stream.tell(), size, where)

    def storage_bytes(storage: StorageId) -> bytearray:
        place = places.get(storage.key)
        length = storage_size(storage)
        if place is None:
            raise _wrong_size(storage, 0, where)
        file.seek(place)
        count, data = int.from_bytes(file.read(8), "little", signed=True), bytearray(file.read(length))
        if count != storage.count or len(data) != length:
            raise CheckpointError(
                f"{where} is damaged: the storage {shown(storage.key, 40)!r} announces {count} elements, its tensors "
                f"{storage.count}; {DAMAGED}"
            )
        return data

    return TorchFile(content.root, storage_bytes)


def _stream_places(
    keys: list[str], storages: dict[str, StorageId], start: int, size: int, where: Path
) -> dict[str, int]:
    """Byte at which each storage of the stream begins, from the sizes that the pickle gives them."""
    places: dict[str, int] = {}
    for key in keys:
        storage = storages.get(key)
        if storage is None or key in places:
            what = "twice" if key in places else "without describing it"
            raise CheckpointError(f"{where} is damaged (it lists the storage {shown(key)!r} {what}); {DAMAGED}")
        places[key] = start
        start += 8 + storage_size(storage)
    if start > size:
        raise CheckpointError(f"{where} breaks off: its storages need {start} bytes, it has {size}; {DAMAGED}")
    return places


def _check_byte_order(order: str, where: Path) -> None:
    if order != sys.byteorder:
        raise CheckpointError(
            f"{where} was written in {shown(order, 20)}-endian byte order, this machine's is {sys.byteorder}; save it "
            "again as safetensors on the machine that wrote it"
        )


def _wrong_size(storage: StorageId, held: int, where: Path) -> CheckpointError:
    return CheckpointError(
        f"{where} is damaged: the storage {shown(storage.key, 40)!r} should hold {storage_size(storage)} bytes "
        f"({storage.count} of {storage.dtype}), the file has {held}; {DAMAGED}"
    )
