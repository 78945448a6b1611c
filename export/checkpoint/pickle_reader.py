"""Reads a pickle as data: strings, numbers, plain containers, and records of what the file would have called.

A pickle is a program for a small stack machine. `read_pickle` runs that machine with every instruction that acts taken
out: importing a name yields a `Name`, calling one yields a `Call` (parts of tensors), an empty `OrderedMapping`, or an
`Inert` record; nothing of the file's choice is imported, called or constructed, and only plain scalars are hashed. So
there is nothing to escape to, and what the file says of its inert objects is dropped.

Why not an unpickler of the libraries: `pickle.Unpickler` with a strict `find_class`, and `torch.load` with
`weights_only=True`, still call constructors and set attributes on the file's behalf. Tried on both (Python 3.11, torch
2.13), two megabytes of nested tuples as a dictionary's key overflow the C stack and end the process; a memo index of 28
bits takes 4 GB (`pickle`); an allowed `bytearray(2**30)` takes 1 GB, and attributes and hooks of the file's choice are
hung on tensors (`torch`). Both also build the optimizer's state, twice the weights, only to throw it away, and
torch's list of extra permitted names belongs to the whole process.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...runtime.errors import CheckpointError
from .pickle_names import SAVE_AGAIN, Name, NameKind, permitted_name, refused, shown
from .pickle_values import Call, Inert, OrderedMapping, StorageId, Unhashed, kind_of, storage_id

PICKLE_LIMIT = 8 << 20
"""Bytes of pickle that are read: the published files' are below one megabyte, weights are stored apart from it."""


@dataclass
class PickleContent:
    """`root` is the pickled object; `storages` every storage that any tensor in it refers to, by key."""

    root: Any
    storages: dict[str, StorageId] = field(default_factory=dict)


def read_pickle(stream: io.BytesIO, where: Path) -> PickleContent:
    """Read one pickle from `stream`, which is left just behind it. `where` is the file that messages name.

    Raises CheckpointError for a name off the list, for an instruction that no checkpoint needs, and for damage.
    """
    machine = _Machine(where)
    try:
        root = machine.run(stream)
    except (IndexError, KeyError, ValueError, OverflowError) as error:
        # What the stack, the memo and pickletools' readers raise on a program that is cut off or makes no sense.
        raise CheckpointError(
            f"{where} is damaged: its pickle breaks off or makes no sense near byte {stream.tell()} "
            f"({type(error).__name__}); {SAVE_AGAIN}"
        ) from None
    return PickleContent(root, machine.storages)


_SCALARS = (str, bytes, int, float, bool, type(None))
_LARGEST_KEY = 1 << 60
_SET = Name("builtins", "set", NameKind.INERT)
_FROZENSET = Name("builtins", "frozenset", NameKind.INERT)


class _Machine:
    """The stack machine. `marks` holds the stacks below each open mark, as in the standard library's."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, StorageId] = {}

    def run(self, stream: io.BytesIO) -> Any:
        while True:
            code = stream.read(1)
            opcode = _OPCODES.get(code)
            if opcode is None:
                if not code:
                    raise ValueError
                raise self.refused(f"holds a pickle instruction that checkpoints have no use for ({ascii(code)[1:]})")
            name = opcode.name
            read = _TEXT_READERS.get(name) or (opcode.arg.reader if opcode.arg else None)
            argument: Any = read(stream) if read else None
            if name == "STOP":
                return self.stack.pop()
            if name in _PUSHES_ARGUMENT:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name]())
            else:
                _ACTIONS[name](self, argument)

    def refused(self, what: str) -> CheckpointError:
        return refused(self.where, what)

    # The stack and the memo

    def ignore(self, _: Any) -> None:
        """PROTO and FRAME say how the pickle is written, which its instructions say again."""

    def mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def drop_mark(self, _: Any) -> None:
        self.pop_mark()

    def duplicate(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    # Plain containers

    def take(self, count: int) -> tuple[Any, ...]:
        return tuple(self.stack.pop() for _ in range(count))[::-1]

    def tuple_of(self, count: int) -> None:
        self.stack.append(self.take(count))

    def tuple_of_marked(self, _: Any) -> None:
        items = tuple(self.pop_mark())
        self.stack.append(items)

    def list_of_marked(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(items)

    def dict_of_marked(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self.set_pairs(items)

    def frozenset_of_marked(self, _: Any) -> None:
        self.pop_mark()
        self.stack.append(Inert(_FROZENSET))

    def append(self, _: Any) -> None:
        self.extend([self.stack.pop()])

    def append_marked(self, _: Any) -> None:
        self.extend(self.pop_mark())

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is not Inert:
            raise self.refused(f"appends to {kind_of(target)}")

    def add_marked(self, _: Any) -> None:
        self.pop_mark()
        if type(self.stack[-1]) is not Inert:
            raise self.refused(f"adds set members to {kind_of(self.stack[-1])}")

    def set_item(self, _: Any) -> None:
        self.set_pairs(list(self.take(2)))

    def set_marked(self, _: Any) -> None:
        self.set_pairs(self.pop_mark())

    def set_pairs(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is Inert:
            return
        if type(target) is not dict and type(target) is not OrderedMapping:
            raise self.refused(f"sets items of {kind_of(target)}")
        if len(items) % 2:
            raise ValueError
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing tuples of tuples of ... overflows the C stack, and huge numbers can be made to collide.
            plain = type(key) in _SCALARS and (type(key) is not int or abs(key) < _LARGEST_KEY)
            target[key if plain else Unhashed(key)] = value

    # What an unpickler would import, call or construct

    def name(self, argument: tuple[str, str]) -> None:
        self.stack.append(permitted_name(*argument, self.where))

    def name_from_stack(self, _: Any) -> None:
        module, attribute = self.take(2)
        if type(module) is not str or type(attribute) is not str:
            raise self.refused(f"imports by {kind_of(module)} and {kind_of(attribute)} instead of text")
        self.stack.append(permitted_name(module, attribute, self.where))

    def call(self, _: Any) -> None:
        target, args = self.take(2)
        self.stack.append(self.called(target, args))

    def call_with_keywords(self, _: Any) -> None:
        target, args, _keywords = self.take(3)
        self.stack.append(self.called(target, args))

    def call_marked(self, _: Any) -> None:
        target, *args = self.pop_mark() or [None]
        self.stack.append(self.called(target, tuple(args)))

    def call_named(self, argument: tuple[str, str]) -> None:
        args = tuple(self.pop_mark())
        self.stack.append(self.called(permitted_name(*argument, self.where), args))

    def called(self, target: Any, args: Any) -> Any:
        if type(target) is not Name or target.kind in (NameKind.STORAGE, NameKind.DTYPE):
            raise self.refused(f"calls {kind_of(target)}")
        if type(args) is not tuple:
            raise self.refused(f"calls {target} with {kind_of(args)} instead of arguments")
        if target.kind is NameKind.TENSOR:
            return Call(target, args)
        return self.mapping(args) if target.kind is NameKind.MAPPING else Inert(target)

    def mapping(self, args: tuple[Any, ...]) -> OrderedMapping:
        """`OrderedDict()`, or Python 2's `OrderedDict([[key, value], ...])`."""
        pairs = args[0] if args else []
        if len(args) > 1 or type(pairs) is not list or any(type(p) not in (list, tuple) or len(p) != 2 for p in pairs):
            raise self.refused("calls collections.OrderedDict with something that is no list of pairs")
        mapping = OrderedMapping()
        self.stack.append(mapping)
        self.set_pairs([item for pair in pairs for item in pair])
        self.stack.pop()
        return mapping

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is OrderedMapping:
            target.attributes.append(state)
        elif type(target) is not Inert:
            raise self.refused(f"hangs attributes on {kind_of(target)}")

    def storage(self, _: Any) -> None:
        found = storage_id(self.stack.pop())
        if found is None:
            raise self.refused("refers to something outside the pickle that is no tensor's storage")
        if self.storages.setdefault(found.key, found) != found:
            raise self.refused(f"describes the storage {shown(found.key)!r} in two ways")
        self.stack.append(found)


def _line(stream: io.BytesIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ValueError
    return line[:-1].decode("utf-8")


def _two_lines(stream: io.BytesIO) -> tuple[str, str]:
    """Module and attribute of GLOBAL and INST, as unpicklers read them (pickletools joins them by a space)."""
    return _line(stream), _line(stream)


def _quoted(stream: io.BytesIO) -> str:
    """Protocol 0's quoted text, for what needs no escapes: no checkpoint is written so, only small exploits are."""
    text = _line(stream)
    if "\\" in text or text[:1] not in ("'", '"') or text[-1:] != text[:1]:
        raise ValueError
    return text[1:-1]


_TEXT_READERS: dict[str, Callable[[io.BytesIO], Any]] = {"GLOBAL": _two_lines, "INST": _two_lines, "STRING": _quoted}

# fmt: off
_PUSHES_ARGUMENT = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
}
# fmt: on

_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: Inert(_SET),
}

_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _Machine.ignore,
    "FRAME": _Machine.ignore,
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.drop_mark,
    "DUP": _Machine.duplicate,
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "TUPLE": _Machine.tuple_of_marked,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "LIST": _Machine.list_of_marked,
    "DICT": _Machine.dict_of_marked,
    "FROZENSET": _Machine.frozenset_of_marked,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_marked,
    "ADDITEMS": _Machine.add_marked,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_marked,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "NEWOBJ_EX": _Machine.call_with_keywords,
    "OBJ": _Machine.call_marked,
    "INST": _Machine.call_named,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}

# Left out, so refused: EXT1/2/4 (names by number from a registry of this process), PERSID (storages named by text),
# and the buffers of protocol 5 that lie outside the pickle.
_OPCODES = {
    opcode.code.encode("latin-1"): opcode
    for opcode in pickletools.opcodes
    if opcode.name in _PUSHES_ARGUMENT | _CONSTANTS.keys() | _ACTIONS.keys() | {"STOP"}
}
