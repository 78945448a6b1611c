"""From the record of a state dict to its tensors: every number that the file gives is checked before torch sees it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from ...runtime.errors import CheckpointError
from .pickle_names import STORAGE_DTYPES, Name, NameKind, shown
from .pickle_values import Call, Inert, OrderedMapping, StorageId, Unhashed, kind_of
from .torch_archive import DAMAGED, TorchFile, storage_size

_WRAPPERS = ("net", "state_dict", "model")
"""Keys under which training codes put the state dict, in the order in which they are looked for."""

_DIMENSIONS, _ELEMENTS = 16, 1 << 48
_DTYPES = frozenset(STORAGE_DTYPES.values())
_SAVE_TENSORS = "save the plain state_dict() of the model"


def state_dict_tensors(file: TorchFile, size: int, where: Path) -> dict[str, torch.Tensor]:
    """The state dict of `file` (whose length is `size` bytes) as contiguous CPU tensors, in the file's order.

    Tensors that share a storage in the file share memory here. Raises CheckpointError where there is no state dict,
    where anything but tensors can be reached from it, and where a tensor does not fit its storage.
    """
    name, records = _state_dict(file.root, where)
    builder = _Builder(file, size, where)
    tensors: dict[str, torch.Tensor] = {}
    for key, record in records.items():
        if type(key) is not str:
            raise CheckpointError(f"{where}: {name} has {kind_of(key)} as a key, not text; {_SAVE_TENSORS}")
        label = f"{name}[{shown(key)!r}]"
        if type(record) is not Call:
            raise CheckpointError(f"{where}: {label} is {kind_of(record)}, not a tensor; {_SAVE_TENSORS}")
        tensors[key] = builder.tensor(record, label)
    if not tensors:
        raise CheckpointError(f"{where}: {name} holds no tensors; {_SAVE_TENSORS}")
    return tensors


def _state_dict(root: Any, where: Path) -> tuple[str, dict[Any, Any]]:
    """The state dict's name and its records, with what the file hangs on the dictionary itself checked."""
    if not isinstance(root, dict):
        raise CheckpointError(f"{where} holds {kind_of(root)}, not a dictionary of tensors; {_SAVE_TENSORS}")
    name, records = next(((key, root[key]) for key in _WRAPPERS if key in root), ("the state dict", root))
    if records is root and not any(type(value) is Call for value in root.values()):
        keys = ", ".join(shown(key, 30) if type(key) is str else kind_of(key) for key in list(root)[:8]) or "nothing"
        raise CheckpointError(
            f"{where} holds no state dict: neither {', '.join(_WRAPPERS)} nor tensors, but {keys}; {_SAVE_TENSORS}"
        )
    if not isinstance(records, dict):
        raise CheckpointError(f"{where}: {name} is {kind_of(records)}, not a state dict; {_SAVE_TENSORS}")
    # A state dict carries one attribute, `_metadata`: version numbers of its modules.
    foreign = _first_foreign(records.attributes) if isinstance(records, OrderedMapping) else None
    if foreign is not None:
        raise CheckpointError(
            f"{where}: an attribute of {name} leads to {kind_of(foreign)}, which a state dict has no use for; "
            f"{_SAVE_TENSORS}"
        )
    return name, records


def _first_foreign(value: Any) -> object | None:
    """The first thing reachable from `value` that is neither scalar nor plain container, without recursion."""
    seen: set[int] = set()
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (Inert, Name, Call, StorageId)):
            return item
        if isinstance(item, (list, tuple, dict)) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend(item.values() if isinstance(item, dict) else item)
            waiting.extend(key.value for key in item if isinstance(key, Unhashed))
            waiting.extend(item.attributes if isinstance(item, OrderedMapping) else ())
    return None


def _counts(value: Any) -> tuple[int, ...] | None:
    """`value` where it is a tuple of whole numbers that a tensor could have as shape, stride or offset, else None."""
    fits = type(value) is tuple and len(value) <= _DIMENSIONS
    return value if fits and all(type(n) is int and 0 <= n <= _ELEMENTS for n in value) else None


class _Builder:
    """Turns records into tensors and keeps the storages that it has read."""

    def __init__(self, file: TorchFile, size: int, where: Path) -> None:
        self.file = file
        self.where = where
        self.storages: dict[str, torch.Tensor] = {}
        # Tied weights share a storage, honestly; a few times the file's own size leaves room for them.
        self.bytes_left = 4 * size

    def refused(self, label: str, what: str, remedy: str = _SAVE_TENSORS) -> CheckpointError:
        return CheckpointError(f"{self.where}: {label} {what}; {remedy}")

    def tensor(self, record: Call, label: str) -> torch.Tensor:
        """The tensor of one record. `label` names it in messages."""
        function, args = record.name.attribute, record.args
        if function == "_rebuild_parameter":
            inner = args[0] if len(args) == 3 else None
            if type(inner) is not Call or inner.name.attribute == function:
                raise self.refused(label, "is a parameter without a tensor in it")
            self.check_flags(args[1:2], args[2:], label)
            return self.tensor(inner, label)
        wanted = {"_rebuild_tensor": (4, 4), "_rebuild_tensor_v2": (6, 7), "_rebuild_tensor_v3": (7, 8)}[function]
        if not wanted[0] <= len(args) <= wanted[1] or type(args[0]) is not StorageId:
            raise self.refused(label, "is described in a way that torch.save never writes", DAMAGED)
        storage, offset, shape, stride = args[:4]
        dtype = storage.dtype
        rest = args[4:]
        if function == "_rebuild_tensor_v3":
            dtype = self.named_dtype(args[6], storage, label)
            rest = (*args[4:6], *args[7:])
        self.check_flags(rest[:1], rest[1:], label)
        return self.view(storage, getattr(torch, dtype), offset, shape, stride, label)

    def check_flags(self, flags: tuple[Any, ...], extras: tuple[Any, ...], label: str) -> None:
        """Of a tensor's extras (backward hooks, conjugation), anything but none of them is refused."""
        if any(type(flag) is not bool for flag in flags):
            raise self.refused(label, f"has {kind_of(flags[0])} where torch.save writes requires_grad")
        for extra in extras:
            empty = extra is None or (isinstance(extra, dict) and not extra)
            if not empty or (isinstance(extra, OrderedMapping) and extra.attributes):
                foreign = _first_foreign([extra])
                raise self.refused(
                    label, f"carries hooks or attributes ({kind_of(extra if foreign is None else foreign)})"
                )

    def named_dtype(self, name: Any, storage: StorageId, label: str) -> str:
        if type(name) is not Name or name.kind is not NameKind.DTYPE or name.attribute not in _DTYPES:
            raise self.refused(
                label, f"has elements of {kind_of(name)}, not of a type that weights have", "save it as float32"
            )
        if name.attribute != storage.dtype and storage.dtype != "uint8":
            raise self.refused(label, f"reads a storage of {storage.dtype} as {name.attribute}", DAMAGED)
        return name.attribute

    def view(
        self, storage: StorageId, dtype: torch.dtype, offset: Any, shape: Any, stride: Any, label: str
    ) -> torch.Tensor:
        """The elements that `offset`, `shape` and `stride` (all in elements) pick out of a storage."""
        sizes, steps, start = _counts(shape), _counts(stride), _counts((offset,))
        if (
            sizes is None
            or steps is None
            or start is None
            or len(sizes) != len(steps)
            or math.prod(max(n, 1) for n in sizes) > _ELEMENTS
        ):
            raise self.refused(label, "has a shape, stride or offset that no weight has", DAMAGED)
        elements, held = math.prod(sizes), storage_size(storage) // dtype.itemsize
        last = start[0] + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
        if elements and (last >= held or elements > held):
            what = f"of shape {sizes} exceeds its storage {shown(storage.key, 40)!r} of {held} values"
            raise self.refused(label, what, DAMAGED)
        self.bytes_left -= elements * dtype.itemsize
        if self.bytes_left < 0:
            raise self.refused(label, "brings the weights to several times what the file holds", DAMAGED)
        if not elements:
            return torch.empty(sizes, dtype=dtype)
        values = self.values(storage)
        if dtype != values.dtype:
            values = values[: held * dtype.itemsize].view(dtype)
        return values.as_strided(sizes, steps, start[0]).contiguous()

    def values(self, storage: StorageId) -> torch.Tensor:
        """The storage's elements, one-dimensional, read once."""
        if storage.key not in self.storages:
            data = self.file.storage_bytes(storage)
            self.storages[storage.key] = torch.frombuffer(data, dtype=getattr(torch, storage.dtype))
        return self.storages[storage.key]
