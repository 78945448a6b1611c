"""What read_checkpoint reads, and the sentences for honest files that it cannot."""

import argparse
import hashlib
import io
import os
import re
import sys
import tarfile
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ostrack_edge.export.checkpoint import read_checkpoint, write_safetensors
from ostrack_edge.runtime.errors import CheckpointError


def small_state() -> dict[str, Any]:
    """A module's state dict: floats, an int64 counter, and the `_metadata` attribute that torch hangs on it."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).state_dict()


def assert_equal(tensors: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert list(tensors) == list(expected)
    for name, tensor in expected.items():
        found = tensors[name]
        assert type(found) is torch.Tensor
        assert found.dtype == tensor.dtype
        assert not found.requires_grad
        assert found.is_contiguous()
        assert torch.equal(found, tensor.detach()), name


def refusal(path: Path) -> str:
    """The one sentence with which `path` is refused; it names the file."""
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert text.isprintable()
    return text.replace(str(path), "FILE")


def saved(path: Path, value: object, **options: Any) -> Path:
    torch.save(value, path, **options)
    return path


TRAINING_CLASSES = {
    "lib.train.admin.stats": ("AverageMeter", "StatValue"),
    "lib.train.admin.settings": ("Settings",),
    "lib.train.admin.local": ("EnvironmentSettings",),
    "lib_of_a_fork.admin": ("Meter",),
}


@pytest.fixture
def training_code(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Classes of a training code that exists while a checkpoint is saved, and is gone when `forget` was called."""
    with monkeypatch.context() as patch:
        modules: dict[str, Any] = {}
        for module, names in TRAINING_CLASSES.items():
            parts = module.split(".")
            for end in range(1, len(parts) + 1):
                name = ".".join(parts[:end])
                modules.setdefault(name, types.ModuleType(name))
                patch.setitem(sys.modules, name, modules[name])
            for name in names:
                setattr(modules[module], name, type(name, (), {"__module__": module}))

        def make(module: str, name: str, **attributes: object) -> object:
            instance = getattr(modules[module], name)()
            vars(instance).update(attributes)
            return instance

        yield types.SimpleNamespace(make=make, forget=patch.undo)


@pytest.mark.parametrize("stream", [False, True], ids=["zip", "stream"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_published_files_load_without_their_training_code(
    tmp_path: Path, training_code: Any, stream: bool, protocol: int
) -> None:
    network = torch.nn.Linear(3, 4)
    optimizer = torch.optim.AdamW(network.parameters(), foreach=False)
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    settings = training_code.make("lib.train.admin.settings", "Settings", env=None, use_gpu=True)
    settings.env = training_code.make("lib.train.admin.local", "EnvironmentSettings", workspace_dir="/data")
    meter = training_code.make("lib.train.admin.stats", "AverageMeter", history=[0.5, np.float64(0.25)])
    meter.curve, meter.seen, meter.owner = np.arange(3.0), {1, 2}, settings
    value = {
        "epoch": 300,
        "actor_type": "OSTrackActor",
        "net": network.state_dict(),
        "net_info": None,
        "constructor": None,
        "optimizer": optimizer.state_dict(),
        "stats": {"train": meter, "fork": training_code.make("lib_of_a_fork.admin", "Meter", parent=meter)},
        "settings": settings,
    }
    path = saved(
        tmp_path / "OSTrack_ep0300.pth.tar",
        value,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=not stream,
    )
    training_code.forget()
    found = read_checkpoint(path)
    assert_equal(found.tensors, network.state_dict())
    assert found.metadata == {}
    assert found.path == path
    assert not any(name.partition(".")[0] in ("lib", "lib_of_a_fork") for name in sys.modules)


def test_published_files_load_inside_the_training_code_s_folder(
    tmp_path: Path, training_code: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = training_code.make("lib.train.admin.stats", "AverageMeter")
    path = saved(tmp_path / "a.pth.tar", {"net": small_state(), "stats": meter})
    training_code.forget()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert_equal(read_checkpoint(path).tensors, small_state())
    assert "lib" not in sys.modules


@pytest.mark.parametrize("stream", [False, True], ids=["zip", "stream"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 1},
        lambda state: {"model": dict(state), "args": argparse.Namespace(lr=0.1)},
        lambda state: {"net": {name: torch.nn.Parameter(t, t.is_floating_point()) for name, t in state.items()}},
    ],
    ids=["bare", "state_dict", "mae", "parameters"],
)
def test_state_dicts_are_found_wherever_training_codes_put_them(tmp_path: Path, wrap: Any, stream: bool) -> None:
    path = saved(tmp_path / "a.pth", wrap(small_state()), _use_new_zipfile_serialization=not stream)
    assert_equal(read_checkpoint(path).tensors, small_state())


@pytest.mark.parametrize("stream", [False, True], ids=["zip", "stream"])
def test_views_types_and_shapes_survive(tmp_path: Path, stream: bool) -> None:
    table = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    kinds = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8]
    state = {
        "transposed": table.t(),
        "corner": table[1:3, 2:5],
        "whole": table,
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "bool": torch.tensor([True, False]),
        **{str(kind): table.to(kind) for kind in [*kinds, torch.uint8]},
    }
    path = saved(tmp_path / "a.pth", {"net": state}, _use_new_zipfile_serialization=not stream)
    assert_equal(read_checkpoint(path).tensors, state)


def test_tied_weights_share_memory(tmp_path: Path) -> None:
    weight = torch.ones(2, 3)
    found = read_checkpoint(saved(tmp_path / "a.pth", {"a": weight, "b": weight})).tensors
    assert found["a"].data_ptr() == found["b"].data_ptr()


def test_only_the_state_dict_s_storages_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", {"net": {"w": torch.ones(2)}, "optimizer": {"w": torch.full((1000,), 7.0)}})
    data = path.read_bytes()
    block = np.full(1000, 7.0, np.float32).tobytes()
    assert data.count(block) == 1
    path.write_bytes(data.replace(block, bytes(len(block))))
    assert_equal(read_checkpoint(path).tensors, {"w": torch.ones(2)})


def test_tensors_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"w": torch.full((5000,), 3.0)}, {})
    found = read_checkpoint(path)
    os.truncate(path, 10)
    assert float(found.tensors["w"].sum()) == 15000


def test_sha256_is_the_file_s(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", small_state())
    assert read_checkpoint(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors", small_state())
    assert_equal(read_checkpoint(path).tensors, small_state())


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.pth") == "there is no checkpoint FILE; check the path"
    assert refusal(tmp_path) == "FILE is a folder; give the checkpoint file in it"
    inside = saved(tmp_path / "a.pth", small_state()) / "b"
    assert refusal(inside) == "there is no checkpoint FILE; check the path"


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.pth", small_state())

    def denied(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "cannot be read (Permission denied); check its permissions" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "FILE is a device or a pipe; give a checkpoint file"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the checkpoint FILE is empty; copy or download it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            r".* fetch the file itself with: git lfs pull",
        ),
        (b"<!DOCTYPE html><html>not found</html>", r".*text that begins with '<!DOCTYPE html>.*; download the .*"),
        (b"\x1f\x8b\x08\x00" + bytes(40), "FILE is no checkpoint: it is a compressed file; unpack it .*"),
        (np.random.default_rng(0).bytes(4000), "FILE is no checkpoint: it is neither safetensors nor .*"),
        (bytes(4000), "FILE is no checkpoint: it is neither safetensors nor .*"),
        (b"\x80\x02}q\x00.", r"FILE is a pickle, but none that torch\.save wrote; save .*"),
        (b"\x80", r"FILE is damaged: its pickle breaks off or makes no sense near byte 1 .*"),
        (
            b"PK\x03\x04" + bytes(60),
            r"FILE is a damaged or unfinished zip archive \(File is not a zip file\); copy .*",
        ),
        ((200).to_bytes(8, "little") + b'{"w":', r"FILE is a damaged safetensors file \(.*\); copy or download .*"),
    ],
    ids=[
        "empty",
        "git-lfs",
        "web-page",
        "gzip",
        "random",
        "zeros",
        "pickle",
        "cut-pickle",
        "cut-zip",
        "cut-safetensors",
    ],
)
def test_files_that_are_no_checkpoint(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    assert re.fullmatch(sentence, refusal(tmp_path / "a.pth"))


def test_tar_and_foreign_zip_archives(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("storages"), io.BytesIO(b""))
    assert "it is a tar archive; unpack it" in refusal(tmp_path / "a.tar")
    np.savez_compressed(tmp_path / "a.npz", w=np.zeros(3))
    assert "none that torch.save wrote" in refusal(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert "none that torch.save wrote" in refusal(tmp_path / "empty.zip")


@pytest.mark.parametrize("kind", ["zip", "stream", "safetensors"])
def test_truncated_at_any_point(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.pth"
    if kind == "safetensors":
        write_safetensors(path, small_state(), {})
    else:
        saved(path, {"net": small_state()}, _use_new_zipfile_serialization=kind == "zip")
    data = path.read_bytes()
    for length in [1, 4, 9, 40, *range(60, len(data), 61), len(data) - 1]:
        path.write_bytes(data[:length])
        assert refusal(path).startswith(("FILE is ", "FILE breaks off"))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            {"epoch": 3, "best": 0.5},
            "FILE holds no state dict: neither net, .* nor tensors, but epoch, best; .*",
        ),
        ({}, "FILE holds no state dict: .* but nothing; .*"),
        ([torch.ones(2)], "FILE holds a value of type list, not a dictionary of tensors; .*"),
        (torch.ones(2), "FILE holds a tensor, not a dictionary of tensors; .*"),
        ({"net": {}}, "FILE: net holds no tensors; .*"),
        ({"net": None}, "FILE: net is a value of type NoneType, not a state dict; .*"),
        ({"net": {"a": torch.ones(2), "b": 3}}, r"FILE: net\['b'\] is a value of type int, not a tensor; .*"),
        ({"net": {"a": {"b": torch.ones(2)}}}, r"FILE: net\['a'\] is a value of type dict, not a tensor; .*"),
        ({"net": {3: torch.ones(2)}}, "FILE: net has a value of type int as a key, not text; .*"),
        ({"a": torch.ones(2), "epoch": 3}, r"FILE: the state dict\['epoch'\] is a value of type int, not a tensor; .*"),
    ],
)
def test_files_without_a_state_dict(tmp_path: Path, value: object, sentence: str) -> None:
    assert re.fullmatch(sentence, refusal(saved(tmp_path / "a.pth", value)))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("safe", [False, True], ids=["pickle", "safetensors"])
def test_values_that_are_not_finite_are_named(tmp_path: Path, bad: float, kind: torch.dtype, safe: bool) -> None:
    state = {"good": torch.ones(3), "blocks.0.bad": torch.tensor([1.0, bad, 2.0], dtype=kind)}
    path = tmp_path / "a.pth"
    if safe:
        write_safetensors(path, state, {})
    else:
        saved(path, {"net": state})
    text = refusal(path)
    assert "the tensor 'blocks.0.bad' holds 1 values that are NaN or infinite (of 3); take a checkpoint" in text


@pytest.mark.parametrize("kind", [torch.complex64, torch.uint16])
def test_element_types_that_no_weight_has(tmp_path: Path, kind: torch.dtype) -> None:
    write_safetensors(tmp_path / "a.safetensors", {"w": torch.ones(2, dtype=kind)}, {})
    assert f"the tensor 'w' has elements of {kind}, not of a type" in refusal(tmp_path / "a.safetensors")
    text = refusal(saved(tmp_path / "a.pth", {"net": {"w": torch.ones(2, dtype=kind)}}))
    assert ("torch.ComplexFloatStorage" if kind is torch.complex64 else "torch.uint16") in text


def test_tensors_with_attributes_are_refused_inside_the_state_dict_only(tmp_path: Path) -> None:
    noted = torch.nn.Parameter(torch.ones(2))
    vars(noted)["note"] = 1
    aside = saved(tmp_path / "a.pth", {"net": {"w": torch.ones(2)}, "other": noted})
    assert_equal(read_checkpoint(aside).tensors, {"w": torch.ones(2)})
    inside = saved(tmp_path / "b.pth", {"net": {"w": noted}})
    assert "net['w'] is an object of torch._utils._rebuild_parameter_with_state, not a tensor" in refusal(inside)
