"""Which names a checkpoint's pickle may hold, and what each stands for. Deciding never imports or calls anything.

A name is one of:

- a part of a tensor (rebuild functions, storage and element types), read by this package's own code;
- an ordered dictionary, the container of every state dict;
- inert: it stays a name, and what the file builds with it stays a record without effect. That holds for names that
  belong to nothing installed here, and for the short list `INERT`;
- anything else (Python's built-ins, its standard library, every module that could be imported): refused.
"""

from __future__ import annotations

import importlib.util
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ...runtime.errors import CheckpointError


class NameKind(Enum):
    """What a permitted name stands for."""

    TENSOR = "tensor"
    STORAGE = "storage"
    DTYPE = "dtype"
    MAPPING = "mapping"
    INERT = "inert"


@dataclass(frozen=True, eq=False)
class Name:
    """A permitted `module.attribute` of the pickle: two strings, never the thing that they would import."""

    module: str
    attribute: str
    kind: NameKind

    def __str__(self) -> str:
        return shown(f"{self.module}.{self.attribute}")


SAVE_AGAIN = "get the file from its publisher again, or have the model's state_dict() alone saved"


def refused(where: Path, what: str) -> CheckpointError:
    """The error for a pickle that asks for something. `what` continues the sentence that the file's name begins."""
    return CheckpointError(f"{where} {what}; nothing of it was run: {SAVE_AGAIN}")


STORAGE_DTYPES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}
"""Storage class -> name of its elements' type."""

_KNOWN: dict[tuple[str, str], NameKind] = {
    ("torch._utils", "_rebuild_tensor"): NameKind.TENSOR,
    ("torch._utils", "_rebuild_tensor_v2"): NameKind.TENSOR,
    ("torch._utils", "_rebuild_tensor_v3"): NameKind.TENSOR,
    ("torch._utils", "_rebuild_parameter"): NameKind.TENSOR,
    ("torch.storage", "UntypedStorage"): NameKind.STORAGE,
    ("collections", "OrderedDict"): NameKind.MAPPING,
    **{("torch", storage): NameKind.STORAGE for storage in STORAGE_DTYPES},
    **{("torch", dtype): NameKind.DTYPE for dtype in set(STORAGE_DTYPES.values()) | {"uint16", "uint32", "uint64"}},
}

INERT = frozenset(
    {
        # The published training code's records; listed so that its files also load where that code lies on the path.
        ("lib.train.admin.stats", "AverageMeter"),
        ("lib.train.admin.stats", "StatValue"),
        ("lib.train.admin.settings", "Settings"),
        ("lib.train.admin.local", "EnvironmentSettings"),
        # The command line that published MAE weights carry beside their state dict.
        ("argparse", "Namespace"),
        # Statistics of training loops: numpy's numbers and arrays, and how pickle spells bytes, sets and the like.
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
        *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
        ("_codecs", "encode"),
        *(("builtins", name) for name in ("set", "frozenset", "bytearray", "complex")),
        ("collections", "Counter"),
        # Tensors with attributes or of a subclass: harmless as records, and refused by name inside a state dict.
        ("torch._utils", "_rebuild_parameter_with_state"),
        ("torch._tensor", "_rebuild_from_type_v2"),
        ("torch", "Tensor"),
        ("torch.nn.parameter", "Parameter"),
        ("torch", "Size"),
        ("torch", "device"),
    }
)
"""Names of installed modules that become inert too, because honest checkpoints hold them."""


def permitted_name(module: str, attribute: str, where: Path) -> Name:
    """The name `module.attribute` of the pickle in the file `where`, classified.

    Python 2's spellings are translated first, as unpicklers do, so that `__builtin__.eval` is seen for what it is.
    Raises CheckpointError where the name is off the list.
    """
    if (module, attribute) in NAME_MAPPING:
        module, attribute = NAME_MAPPING[(module, attribute)]
    module = IMPORT_MAPPING.get(module, module)
    kind = _KNOWN.get((module, attribute))
    if kind is None and (module, attribute) in INERT:
        kind = NameKind.INERT
    if kind is not None:
        return Name(module, attribute, kind)
    dotted = f"{module}.{attribute}"
    if not all(part.isidentifier() for part in dotted.split(".")):
        raise refused(where, f"refers to {shown(dotted)}, which is no name that a module has")
    owner = _owner(module.partition(".")[0])
    if owner is not None:
        raise refused(where, f"refers to {shown(dotted)}, which belongs to {owner} and is no part of any weights")
    return Name(module, attribute, NameKind.INERT)


def _owner(top: str) -> str | None:
    """Who owns the top-level module `top` here, or None where no import could find it. Nothing is imported: for a name
    without dots, `find_spec` asks the finders and stops there."""
    if top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return "Python itself"
    if top in sys.modules:
        return f"the loaded module {shown(top)}"
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return f"the module {shown(top)}"
    return None if spec is None else f"the installed module {shown(top)}"


def shown(text: str, limit: int = 120) -> str:
    """Text from a file that is not trusted, as a message may show it: shortened, nothing a terminal would act on."""
    short = text if len(text) <= limit else text[:limit] + "..."
    return short if short.isascii() and short.isprintable() else ascii(short)
