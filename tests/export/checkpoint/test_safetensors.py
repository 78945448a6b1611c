"""Safetensors: read as what they are, written whole or not at all."""

import os
from pathlib import Path

import pytest
import torch
from ostrack_edge.export.checkpoint import read_checkpoint, write_safetensors
from ostrack_edge.runtime.errors import CheckpointError


def test_safetensors_with_metadata(tmp_path: Path) -> None:
    state = {"w": torch.arange(6.0).reshape(2, 3), "half": torch.ones(2, dtype=torch.float16), "n": torch.tensor(3)}
    write_safetensors(tmp_path / "a.safetensors", state, {"geometry": "{}"})
    found = read_checkpoint(str(tmp_path / "a.safetensors"))
    assert found.tensors.keys() == state.keys()
    for name, value in state.items():
        assert found.tensors[name].dtype == value.dtype
        assert torch.equal(found.tensors[name], value)
    assert found.metadata == {"geometry": "{}"}
    assert found.path == tmp_path / "a.safetensors"


@pytest.mark.parametrize("first", [b"\x80", b"P"])
def test_safetensors_whose_length_begins_as_another_format(tmp_path: Path, first: bytes) -> None:
    """A header of a length that ends in 0x80 begins as a pickle does, one of 0x50 as a zip archive."""
    path = tmp_path / "a.safetensors"
    for more in range(0, 256, 8):
        write_safetensors(path, {"w": torch.ones(2)}, {"padding": "." * more})
        if path.read_bytes()[:1] == first:
            break
    assert path.read_bytes()[:1] == first
    assert torch.equal(read_checkpoint(path).tensors["w"], torch.ones(2))


def test_safetensors_take_tied_and_transposed_weights(tmp_path: Path) -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    write_safetensors(tmp_path / "a.safetensors", {"a": weight, "b": weight, "t": torch.nn.Parameter(weight.t())}, {})
    found = read_checkpoint(tmp_path / "a.safetensors").tensors
    assert torch.equal(found["b"], weight)
    assert torch.equal(found["t"], weight.t())


def test_unfinished_writes_leave_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors.torch

    def full_disk(tensors: object, filename: Path, metadata: object) -> None:
        Path(filename).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"w": torch.ones(2)}, {})
    before = path.read_bytes()
    monkeypatch.setattr(safetensors.torch, "save_file", full_disk)
    with pytest.raises(CheckpointError, match=r"a\.safetensors cannot be written: No space left on device; choose"):
        write_safetensors(path, {"w": torch.zeros(2)}, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_writing_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be written: .*; choose a folder that exists"):
        write_safetensors(tmp_path / "none" / "a.safetensors", {"w": torch.ones(2)}, {})
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_writing_over_a_folder_or_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for target in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(CheckpointError, match=r"cannot be written: it is a folder or a device; give"):
            write_safetensors(target, {"w": torch.ones(2)}, {})
    assert (tmp_path / "pipe").is_fifo()


def test_written_files_are_as_readable_as_others(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_safetensors(tmp_path / "a.safetensors", {"w": torch.ones(2)}, {})
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
