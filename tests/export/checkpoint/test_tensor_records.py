"""What a state dict may lead to: tensors that fit their storages, and nothing else."""

import io
import pickle
import re
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ostrack_edge.export.checkpoint import read_checkpoint
from ostrack_edge.runtime.errors import CheckpointError
from torch._utils import _rebuild_parameter, _rebuild_tensor_v2, _rebuild_tensor_v3

V2, V3, PARAMETER = _rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter


class Calls:
    """Pickles as a call of `function` with `args`."""

    def __init__(self, function: Any, *args: object) -> None:
        self.reduced = (function, args)

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.reduced


class Storage:
    """Pickles as a reference to the storage `key`, said to hold `count` elements."""

    def __init__(self, key: str = "0", count: int = 4, kind: object = torch.FloatStorage) -> None:
        self.identifier = ("storage", kind, key, "cpu", count)


class TorchPickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.identifier if isinstance(obj, Storage) else None


def archived(path: Path, value: object, **storages: bytes) -> Path:
    """A torch archive of `value` with the given storages; "0" holds four floats unless given."""
    program = io.BytesIO()
    TorchPickler(program, protocol=2).dump(value)
    held = {"0": np.arange(4, dtype=np.float32).tobytes(), **{name[1:]: data for name, data in storages.items()}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program.getvalue())
        for key, data in held.items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def tensor(*, shape: object = (2, 2), stride: object = (2, 1), offset: object = 0, storage: object = None) -> Calls:
    return Calls(V2, storage or Storage(), offset, shape, stride, False, OrderedDict())


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text.replace(str(path), "FILE")


@pytest.fixture
def thing() -> Iterator[Any]:
    """The class `lib_of_training.Thing`, importable while a checkpoint is pickled, gone after `forget`."""
    module: Any = types.ModuleType("lib_of_training")
    for name, base in (("Thing", object), ("Table", dict), ("Weight", torch.Tensor)):
        setattr(module, name, type(name, (base,), {"__module__": "lib_of_training"}))
    module.forget = lambda: sys.modules.pop("lib_of_training", None)
    sys.modules["lib_of_training"] = module
    yield module
    module.forget()


def test_the_helpers_make_readable_files(tmp_path: Path) -> None:
    value = {"net": {"a": tensor(), "b": Calls(PARAMETER, tensor(shape=(3,), stride=(1,), offset=1), True, None)}}
    found = read_checkpoint(archived(tmp_path / "a.pth", value)).tensors
    assert found["a"].tolist() == [[0, 1], [2, 3]]
    assert found["b"].tolist() == [1, 2, 3]
    assert not found["b"].requires_grad


def test_inert_objects_beside_the_state_dict_do_no_harm(tmp_path: Path, thing: Any) -> None:
    value = {"net": {"a": tensor()}, "stats": [thing.Thing(), thing.Thing, thing.Table(a=tensor())]}
    path = archived(tmp_path / "a.pth", value)
    thing.forget()
    assert list(read_checkpoint(path).tensors) == ["a"]


def attributed(mapping: OrderedDict[str, object], **attributes: object) -> OrderedDict[str, object]:
    vars(mapping).update(attributes)
    return mapping


REACHED = "lib_of_training.Thing"

INERT_INSIDE = {
    "value": (lambda t: {"a": tensor(), "b": t.Thing()}, r"net\['b'\] is an object of " + REACHED),
    "class": (lambda t: {"a": tensor(), "b": t.Thing}, r"net\['b'\] is the name " + REACHED),
    "list": (lambda t: {"a": tensor(), "b": [t.Thing()]}, r"net\['b'\] is a value of type list"),
    "dict": (lambda t: {"a": tensor(), "b": {"c": t.Thing()}}, r"net\['b'\] is a value of type dict"),
    "key": (lambda t: {"a": tensor(), t.Thing(): tensor()}, f"net has an object of {REACHED} as a key"),
    "tuple key": (lambda t: {"a": tensor(), (t.Thing(),): tensor()}, "net has a value of type tuple as a key"),
    "state dict": (lambda t: t.Table(a=tensor()), r"net is an object of lib_of_training\.Table, not a state dict"),
    "metadata": (
        lambda t: attributed(OrderedDict(a=tensor()), _metadata=OrderedDict(x={"version": [t.Thing()]})),
        f"an attribute of net leads to an object of {REACHED}",
    ),
    "metadata key": (
        lambda t: attributed(OrderedDict(a=tensor()), _metadata={t.Thing(): 1}),
        f"an attribute of net leads to an object of {REACHED}",
    ),
    "metadata attribute": (
        lambda t: attributed(OrderedDict(a=tensor()), _metadata=attributed(OrderedDict(), x=t.Thing)),
        f"an attribute of net leads to the name {REACHED}",
    ),
    "attribute": (
        lambda t: attributed(OrderedDict(a=tensor()), anything=[tensor()]),
        "an attribute of net leads to a tensor",
    ),
    "hook": (
        lambda t: {"a": Calls(V2, Storage(), 0, (2,), (1,), False, OrderedDict(hook=t.Thing()))},
        rf"net\['a'\] carries hooks or attributes \(an object of {REACHED}\)",
    ),
    "hooks": (
        lambda t: {"a": Calls(V2, Storage(), 0, (2,), (1,), False, t.Thing())},
        rf"net\['a'\] carries hooks or attributes \(an object of {REACHED}\)",
    ),
    "hooks' attribute": (
        lambda t: {"a": Calls(V2, Storage(), 0, (2,), (1,), False, attributed(OrderedDict(), x=t.Thing()))},
        rf"net\['a'\] carries hooks or attributes \(an object of {REACHED}\)",
    ),
    "tensor metadata": (
        lambda t: {"a": Calls(V2, Storage(), 0, (2,), (1,), False, OrderedDict(), {"conj": t.Thing()})},
        rf"net\['a'\] carries hooks or attributes \(an object of {REACHED}\)",
    ),
    "parameter's hook": (
        lambda t: {"a": Calls(PARAMETER, tensor(), True, OrderedDict(hook=t.Thing()))},
        rf"net\['a'\] carries hooks or attributes \(an object of {REACHED}\)",
    ),
    "parameter's data": (
        lambda t: {"a": Calls(PARAMETER, t.Thing(), True, OrderedDict())},
        r"net\['a'\] is a parameter without a tensor in it",
    ),
    "requires_grad": (
        lambda t: {"a": Calls(V2, Storage(), 0, (2,), (1,), t.Thing(), OrderedDict())},
        rf"net\['a'\] has an object of {REACHED} where torch\.save writes requires_grad",
    ),
    "storage": (lambda t: {"a": tensor(storage=t.Thing())}, r"net\['a'\] is described in a way that torch\.save never"),
    "shape": (
        lambda t: {"a": tensor(shape=(t.Thing(), 2))},
        r"net\['a'\] has a shape, stride or offset that no weight",
    ),
    "stride": (lambda t: {"a": tensor(stride=t.Thing())}, r"net\['a'\] has a shape, stride or offset that no weight"),
    "offset": (lambda t: {"a": tensor(offset=t.Thing())}, r"net\['a'\] has a shape, stride or offset that no weight"),
    "dtype": (
        lambda t: {"a": Calls(V3, Storage(), 0, (2,), (1,), False, OrderedDict(), t.Thing)},
        rf"net\['a'\] has elements of the name {REACHED}",
    ),
}


@pytest.mark.parametrize("case", INERT_INSIDE)
def test_nothing_inert_is_reached_from_the_state_dict(tmp_path: Path, thing: Any, case: str) -> None:
    make, sentence = INERT_INSIDE[case]
    path = archived(tmp_path / "a.pth", {"net": make(thing), "epoch": 3})
    thing.forget()
    assert re.search(f"FILE: {sentence}.*; .*", refusal(path))
    assert "lib_of_training" not in sys.modules


@pytest.mark.parametrize("kind", ["attribute", "parameter's attribute", "subclass"])
def test_inert_things_hung_on_tensors_by_torch_itself(tmp_path: Path, thing: Any, kind: str) -> None:
    weight = torch.nn.Parameter(torch.ones(2)) if kind == "parameter's attribute" else torch.ones(2)
    if kind == "subclass":
        weight = weight.as_subclass(thing.Weight)
    else:
        vars(weight)["note"] = thing.Thing()
    torch.save({"net": {"a": torch.ones(2), "b": weight}}, tmp_path / "a.pth")
    thing.forget()
    function = "_utils._rebuild_parameter_with_state" if kind.startswith("param") else "_tensor._rebuild_from_type_v2"
    assert f"FILE: net['b'] is an object of torch.{function}, not a tensor" in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "record",
    [
        tensor(shape=(3, 2)),
        tensor(offset=1),
        tensor(offset=2**40),
        tensor(stride=(3, 1)),
        tensor(stride=(2**40, 1)),
        tensor(shape=(1000, 1000), stride=(0, 0)),
        tensor(shape=(5,), stride=(0,)),
        tensor(shape=(), stride=(), offset=4),
        tensor(storage=Storage(count=3)),
    ],
)
def test_tensors_that_exceed_their_storage(tmp_path: Path, record: Calls) -> None:
    text = refusal(archived(tmp_path / "a.pth", {"net": {"w": record}}))
    assert re.fullmatch(
        r"FILE: net\['w'\] of shape \(.*\) exceeds its storage '0' of \d values; copy or download .*", text
    )


@pytest.mark.parametrize(
    "record",
    [
        tensor(shape=(-1, 2)),
        tensor(stride=(-2, 1)),
        tensor(offset=-1),
        tensor(offset=True),
        tensor(offset=0.0),
        tensor(offset=2**100),
        tensor(offset="0"),
        tensor(shape=(4,)),
        tensor(shape=[2, 2]),
        tensor(shape=(2.0, 2)),
        tensor(shape=(None, 2)),
        tensor(shape=4, stride=1),
        tensor(shape=(1,) * 17, stride=(1,) * 17),
        tensor(shape=(2**40, 2**40), stride=(1, 1)),
        tensor(shape=(0, 2**40, 2**40), stride=(1, 1, 1)),
        tensor(shape=(2**20000, 2**20000)),
    ],
)
def test_shapes_that_no_weight_has(tmp_path: Path, record: Calls) -> None:
    text = refusal(archived(tmp_path / "a.pth", {"net": {"w": record}}))
    assert text == "FILE: net['w'] has a shape, stride or offset that no weight has; copy or download it again"


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        (Storage(count=5), "20 bytes (5 of float32)"),
        (Storage(count=10**9), "4000000000 bytes (1000000000 of float32)"),
        (Storage(count=4, kind=torch.DoubleStorage), "32 bytes (4 of float64)"),
    ],
)
def test_storages_of_another_size_than_the_pickle_says(tmp_path: Path, storage: Storage, said: str) -> None:
    text = refusal(archived(tmp_path / "a.pth", {"net": {"w": tensor(storage=storage)}}))
    assert text == f"FILE is damaged: the storage '0' should hold {said}, the file has 16; copy or download it again"


@pytest.mark.parametrize(
    "key", ["1", "", "../0", "../../archive/data/0", "../data.pkl", "/etc/passwd", "x" * 1000, "\x1b[2J"]
)
def test_storages_that_the_file_lacks(tmp_path: Path, key: str) -> None:
    text = refusal(archived(tmp_path / "a.pth", {"net": {"w": tensor(storage=Storage(key))}}))
    assert "should hold 16 bytes (4 of float32), the file has 0; copy" in text
    assert text.isprintable()
    assert len(text) < 300


@pytest.mark.parametrize(
    "arguments",
    [(), (Storage(),), (Storage(), 0, (2,), (1,)), (Storage(), 0, (2,), (1,), False, None, None, None), (None,) * 6],
)
def test_rebuilding_with_other_arguments(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    text = refusal(archived(tmp_path / "a.pth", {"net": {"w": Calls(V2, *arguments)}}))
    assert "FILE: net['w'] is described in a way that torch.save never writes" in text


def test_parameters_inside_parameters(tmp_path: Path) -> None:
    nested = tensor()
    for _ in range(3):
        nested = Calls(PARAMETER, nested, True, None)
    text = refusal(archived(tmp_path / "a.pth", {"net": {"w": nested}}))
    assert "net['w'] is a parameter without a tensor in it" in text


def test_one_storage_read_as_many_weights(tmp_path: Path) -> None:
    """Non-contiguous views are copied, so a small file could otherwise ask for any amount of memory."""
    many = {f"w{i}": tensor(shape=(100, 50), stride=(1, 100), storage=Storage("1", 5000)) for i in range(200)}
    path = archived(tmp_path / "a.pth", {"net": many}, _1=bytes(20000))
    assert re.search(r"net\['w\d+'\] brings the weights to several times what the file holds", refusal(path))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_untyped_storages_with_a_named_type(tmp_path: Path, kind: torch.dtype) -> None:
    record = Calls(V3, Storage(count=16, kind=torch.UntypedStorage), 0, (2,), (1,), False, OrderedDict(), kind)
    found = read_checkpoint(archived(tmp_path / "a.pth", {"net": {"w": record}})).tensors["w"]
    expected = torch.frombuffer(bytearray(np.arange(4, dtype=np.float32).tobytes()), dtype=kind)[:2]
    assert found.dtype == kind
    assert torch.equal(found, expected)


def test_typed_storages_are_not_read_as_another_type(tmp_path: Path) -> None:
    record = Calls(V3, Storage(), 0, (2,), (1,), False, OrderedDict(), torch.int64)
    text = refusal(archived(tmp_path / "a.pth", {"net": {"w": record}}))
    assert "FILE: net['w'] reads a storage of float32 as int64" in text


def test_an_untyped_storage_that_ends_amid_an_element(tmp_path: Path) -> None:
    record = Calls(V3, Storage("1", 7, torch.UntypedStorage), 0, (1,), (1,), False, OrderedDict(), torch.float32)
    found = read_checkpoint(archived(tmp_path / "a.pth", {"net": {"w": record}}, _1=bytes(7))).tensors["w"]
    assert found.tolist() == [0.0]
