"""What a pickle's content becomes besides strings, numbers and plain containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .pickle_names import STORAGE_DTYPES, Name, NameKind

_LARGEST_STORAGE = 1 << 48


@dataclass(frozen=True, eq=False)
class Call:
    """A tensor-rebuilding function and its arguments, not called."""

    name: Name
    args: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Inert:
    """An object of a class that is not the state dict's business. Its content is dropped: only the name is left."""

    name: Name


@dataclass(frozen=True)
class StorageId:
    """Where a tensor's values lie: `count` elements of `dtype` (torch's name for it) under `key`."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True, eq=False)
class Unhashed:
    """A dictionary's key that is no plain scalar. It stands for itself, without being hashed or compared."""

    value: Any


class OrderedMapping(dict[Any, Any]):
    """A `collections.OrderedDict` of the file; `attributes` are those that it hangs on the dictionary itself."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[Any] = []


def kind_of(value: object) -> str:
    """What a value of a pickle is, for a message."""
    if isinstance(value, Inert):
        return f"an object of {value.name}"
    if isinstance(value, Name):
        return f"the name {value}"
    if isinstance(value, Call):
        return "a tensor"
    if isinstance(value, StorageId):
        return "a tensor's storage"
    if isinstance(value, Unhashed):
        return kind_of(value.value)
    if isinstance(value, OrderedMapping):
        return "an OrderedDict"
    return f"a value of type {type(value).__name__}"


def storage_id(value: Any) -> StorageId | None:
    """A persistent id as torch.save writes it: ("storage", class, key, device, count), in its older format followed by
    None (no view of another storage). None for anything else. The device is not ours to follow: all goes to the CPU."""
    if type(value) is not tuple or len(value) not in (5, 6) or (len(value) == 6 and value[5] is not None):
        return None
    tag, storage, key, device, count = value[:5]
    if type(tag) is not str or tag != "storage" or type(storage) is not Name or storage.kind is not NameKind.STORAGE:
        return None
    if type(key) is not str or type(device) is not str or type(count) is not int or not 0 <= count <= _LARGEST_STORAGE:
        return None
    return StorageId(key, STORAGE_DTYPES[storage.attribute], count)
