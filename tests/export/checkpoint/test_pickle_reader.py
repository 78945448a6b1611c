"""The pickle's stack machine: what it makes of honest programs, of abuse, and of bombs."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from ostrack_edge.export.checkpoint.pickle_reader import PICKLE_LIMIT, read_pickle
from ostrack_edge.export.checkpoint.pickle_values import Call, Inert, OrderedMapping, StorageId, Unhashed
from ostrack_edge.runtime.errors import CheckpointError

WHERE = Path("a.pth")
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
THING = b"clib_of_training\nThing\n"
FLOATS = b"ctorch\nFloatStorage\n"


def text_of(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def storage(
    kind: bytes = FLOATS, key: bytes = text_of("0"), device: bytes = text_of("cpu"), count: bytes = b"K\x02"
) -> bytes:
    """A storage's identifier, still open: it ends with b"tQ"."""
    return b"(" + text_of("storage") + kind + key + device + count


def root_of(program: bytes) -> Any:
    return read_pickle(io.BytesIO(program), WHERE).root


def refusal(program: bytes) -> str:
    with pytest.raises(CheckpointError) as caught:
        root_of(program)
    return str(caught.value)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_read_as_the_library_reads_them(protocol: int) -> None:
    shared = [1, 2**40, -(2**80), 2**2100]
    value = {
        "numbers": (True, False, None, 0.5, -1.25e300, 255, 65535, -1),
        "text": ["", "a'\"\\\n\u00e4\u4e2d", "x" * 70000],
        "shared": [shared, shared, ()],
        "nested": {"list": [[], [{}], ({},)], 3: "int key", None: "no key", 1.5: (1, (2, (3, (4, 5))))},
    }
    assert root_of(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes_are_read_as_the_library_reads_them(protocol: int) -> None:
    value = [b"", b"ab\x00", b"x" * 300]
    assert root_of(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(2, 6))
def test_ordered_dictionaries_keep_order_items_and_attributes(protocol: int) -> None:
    value = OrderedDict([("b", 1), ("a", [2])])
    vars(value)["_metadata"] = {"": {"version": 1}}
    root = root_of(pickle.dumps(value, protocol))
    assert type(root) is OrderedMapping
    assert list(root.items()) == [("b", 1), ("a", [2])]
    assert root.attributes == [{"_metadata": {"": {"version": 1}}}]


def test_python_2_s_ordered_dictionary() -> None:
    pairs = b"](](" + text_of("b") + b"K\x01e](" + text_of("a") + b"K\x02ee"
    assert list(root_of(b"ccollections\nOrderedDict\n" + pairs + b"\x85R.").items()) == [("b", 1), ("a", 2)]


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("value", [{1, 2}, frozenset((3,)), 1j, bytearray(b"ab")], ids=lambda v: type(v).__name__)
def test_other_containers_never_get_in_the_way(value: object, protocol: int) -> None:
    root = root_of(pickle.dumps([value, "after"], protocol))
    assert root[1] == "after"
    assert type(root[0]) is Inert or root[0] == value


@pytest.mark.parametrize(
    "making",
    [
        THING + b")R",
        THING + b")\x81",
        THING + b"K\x01\x85R}" + text_of("a") + b"K\x01sb",
        THING + b")}\x92",
        b"(" + THING + b"K\x01o",
        b"(K\x01ilib_of_training\nThing\n",
        THING + b")\x81(K\x01K\x02e",
        THING + b")\x81(K\x01K\x02u",
        THING + b")\x81K\x01a",
        THING + b")\x81K\x01K\x02s",
        THING + b")\x81(K\x01\x90",
    ],
)
def test_what_is_built_of_an_inert_name_is_a_record(making: bytes) -> None:
    root = root_of(b"\x80\x02]" + making + b"aK\x07a.")
    record, marker = root[-2:]
    assert type(record) is Inert
    assert str(record.name) == "lib_of_training.Thing"
    assert marker == 7


def test_tensors_stay_calls_of_a_name() -> None:
    program = REBUILD + b"(" + storage(device=text_of("cuda:0")) + b"tQK\x00tR."
    content = read_pickle(io.BytesIO(program), WHERE)
    assert type(content.root) is Call
    assert content.root.args == (StorageId("0", "float32", 2), 0)
    assert content.storages == {"0": StorageId("0", "float32", 2)}


def test_the_stream_is_left_behind_the_pickle() -> None:
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps("two") + b"rest")
    assert read_pickle(stream, WHERE).root == 1
    assert read_pickle(stream, WHERE).root == "two"
    assert stream.read() == b"rest"


@pytest.mark.parametrize(
    ("program", "culprit"),
    [
        (REBUILD + b"}b.", "hangs attributes on the name torch._utils._rebuild_tensor_v2"),
        (REBUILD + b")R}b.", "hangs attributes on a tensor"),
        (b"}}b.", "hangs attributes on a value of type dict"),
        (THING + b")R)R.", "calls an object of lib_of_training.Thing"),
        (THING + b")\x81)\x81.", "calls an object of lib_of_training.Thing"),
        (THING + text_of("rm") + b"R.", "calls lib_of_training.Thing with a value of type str instead of arguments"),
        (text_of("os.system") + b")R.", "calls a value of type str"),
        (b"ccollections\nOrderedDict\n)R)R.", "calls an OrderedDict"),
        (REBUILD + b")R)R.", "calls a tensor"),
        (FLOATS + b"J\xff\xff\xff\x7f\x85R.", "calls the name torch.FloatStorage"),
        (b"(" + FLOATS + b"J\xff\xff\xff\x7fo.", "calls the name torch.FloatStorage"),
        (b"ctorch\nfloat32\n)R.", "calls the name torch.float32"),
        (b"(o.", "calls a value of type NoneType"),
        (THING + b"K\x01K\x02s.", "sets items of the name lib_of_training.Thing"),
        (b")K\x01K\x02s.", "sets items of a value of type tuple"),
        (b")K\x01a.", "appends to a value of type tuple"),
        (b"](K\x01\x90.", "adds set members to a value of type list"),
        (b"ccollections\nOrderedDict\nK\x05\x85R.", "calls collections.OrderedDict with something that is no list"),
        (THING + THING + b"\x93.", "imports by the name lib_of_training.Thing and the name"),
        (b"\x82\x01.", "holds a pickle instruction that checkpoints have no use for ('\\x82')"),
        (b"\x84\x01\x00\x00\x00.", "holds a pickle instruction"),
        (b"P0\n.", "holds a pickle instruction that checkpoints have no use for ('P')"),
        (b"\x97.", "holds a pickle instruction"),
        (b"N\x98.", "holds a pickle instruction"),
        (b"R.", "is damaged: its pickle breaks off or makes no sense near byte 1 "),
        (b"h\x05.", "is damaged: its pickle"),
        (b"t.", "is damaged: its pickle"),
        (b"}(K\x01u.", "is damaged: its pickle"),
        (b"X\xff\xff\xff\x7fabc.", "is damaged: its pickle"),
        (b"\x8d" + b"\xff" * 8 + b"abc.", "is damaged: its pickle"),
        (b"S'\\x41'\n.", "is damaged: its pickle"),
        (b"c\xff\nx\n.", "is damaged: its pickle"),
        (b"K\x01", "is damaged: its pickle"),
        (b"", "is damaged: its pickle"),
    ],
)
def test_abuse_is_refused(program: bytes, culprit: str) -> None:
    assert refusal(program).startswith(f"a.pth {culprit}")


@pytest.mark.parametrize(
    "identifier",
    [
        text_of("0"),
        b"]",
        b")",
        THING + b")R",
        b"(" + text_of("module") + THING + text_of("source.py") + text_of("code") + b"t",
        storage(count=b"") + b"t",
        storage(kind=THING) + b"t",
        storage(kind=THING + b")R") + b"t",
        storage(kind=REBUILD) + b"t",
        storage(key=b"K\x00") + b"t",
        storage(key=THING) + b"t",
        storage(device=THING) + b"t",
        storage(count=b"J\xff\xff\xff\xff") + b"t",
        storage(count=b"\x8a\x10" + b"\x7f" * 16) + b"t",
        storage(count=b"\x88") + b"t",
        storage() + b"(K\x00K\x01tt",
        storage() + THING + b"t",
        storage() + b"NNt",
    ],
)
def test_storages_by_odd_identifiers_are_refused(identifier: bytes) -> None:
    assert "refers to something outside the pickle that is no tensor's storage" in refusal(identifier + b"Q.")


def test_a_storage_of_two_sizes_is_refused() -> None:
    program = b"]" + storage() + b"tQa" + storage(count=b"K\x03") + b"tQa."
    assert "describes the storage '0' in two ways" in refusal(program)


def test_keys_that_are_no_scalars_stand_for_themselves_unhashed() -> None:
    deep = b")" + b"\x85" * 300_000
    root = root_of(b"}(" + deep + b"N" + THING + b")RN" + b"\x8a\x09" + (2**64).to_bytes(9, "little") + b"NK\x01Nu.")
    assert [type(key) for key in root] == [Unhashed, Unhashed, Unhashed, int]


COLLIDING = b"".join(b"\x8a\x0a" + ((2**61 - 1) * k).to_bytes(10, "little") + b"N" for k in range(50_000))


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        (b"]" * 300_000 + b"a" * 299_999 + b".", list),
        (b"Nr\xff\xff\xff\xff.", type(None)),
        (b"\x8b\x40\x42\x0f\x00" + b"\x7f" * 1_000_000 + b".", int),
        (b"}(" + COLLIDING + b"u.", dict),
    ],
    ids=["deep-list", "memo-index", "long-number", "colliding-keys"],
)
def test_bombs_do_no_harm(program: bytes, kind: type) -> None:
    assert type(root_of(program)) is kind


def test_digits_and_marks_without_end_are_damage() -> None:
    assert "is damaged" in refusal(b"I" + b"9" * (PICKLE_LIMIT // 2) + b"\n.")
    assert "is damaged" in refusal(b"(" * 300_000 + b".")
