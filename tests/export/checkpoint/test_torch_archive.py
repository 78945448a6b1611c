"""The containers of torch.save, as an attacker or an accident may leave them."""

import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from ostrack_edge.export.checkpoint import read_checkpoint, write_safetensors
from ostrack_edge.export.checkpoint.torch_archive import MAGIC_NUMBER
from ostrack_edge.runtime.errors import CheckpointError


@pytest.fixture
def entries(tmp_path: Path) -> dict[str, bytes]:
    """The entries of an honest checkpoint whose one weight is w = [1, 1]."""
    torch.save({"net": {"w": torch.ones(2)}}, tmp_path / "honest.pth")
    with zipfile.ZipFile(tmp_path / "honest.pth") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert text.isprintable()
    return text.replace(str(path), "FILE")


def test_the_helper_makes_readable_files(tmp_path: Path, entries: dict[str, bytes]) -> None:
    assert read_checkpoint(zipped(tmp_path / "a.pth", entries)).tensors["w"].tolist() == [1, 1]


@pytest.mark.parametrize("name", ["honest/data.pkl", "honest/data/0"])
def test_entries_that_occur_twice(tmp_path: Path, entries: dict[str, bytes], name: str) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in entries.items():
            archive.writestr(entry, data)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(name, entries[name])
    assert f"FILE holds the entry {name} twice" in refusal(path)


@pytest.mark.parametrize(
    "name",
    ["../evil", "honest/../../evil", "/etc/evil", "honest//evil", "honest/./evil", "honest\\..\\evil", "honest/", ".."],
)
def test_entries_that_lead_elsewhere(tmp_path: Path, entries: dict[str, bytes], name: str) -> None:
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    text = refusal(zipped(folder / "a.pth", {**entries, name: b"evil"}))
    assert text.startswith("FILE holds an entry named ")
    assert "leads out of the archive or is none of torch.save's" in text
    assert not list(tmp_path.rglob("evil*"))


def test_compressed_entries(tmp_path: Path, entries: dict[str, bytes]) -> None:
    bomb = zipped(tmp_path / "a.pth", {**entries, "honest/data/1": bytes(50 << 20)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 20
    assert "FILE holds the compressed entry honest/" in refusal(bomb)


def test_stored_entries_that_announce_more_than_they_hold(tmp_path: Path, entries: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.pth", entries)
    data = path.read_bytes()
    name = b"honest/data/0"
    directory = data.rindex(b"PK\x01\x02", 0, data.rindex(name))
    path.write_bytes(data[: directory + 24] + struct.pack("<I", 1 << 30) + data[directory + 28 :])
    assert "FILE holds the compressed entry honest/data/0 (1073741824 bytes in 8)" in refusal(path)


def test_overlapping_entries(tmp_path: Path, entries: dict[str, bytes]) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**entries, "honest/data/1": bytes(9000)}.items():
            archive.writestr(name, data)
        for index in range(2, 9):
            twin = zipfile.ZipInfo(f"honest/data/{index}")
            first = archive.getinfo("honest/data/1")
            for field in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, field, getattr(first, field))
            archive.filelist.append(twin)
    text = refusal(path)
    assert text.startswith("FILE holds overlapping entries: ")


def test_encrypted_entries(tmp_path: Path, entries: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.pth", entries)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "FILE holds the encrypted entry honest/" in refusal(path)


def test_changed_weights_fail_their_checksum(tmp_path: Path, entries: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.pth", entries)
    data, weights = path.read_bytes(), entries["honest/data/0"]
    assert data.count(weights) == 1
    path.write_bytes(data.replace(weights, b"\x01" + weights[1:]))
    assert "FILE is damaged (Bad CRC-32 for file 'honest/data/0'); copy or download it again" in refusal(path)


@pytest.mark.parametrize("addition", ["constants.pkl", "code/__torch__.py"])
def test_torchscript_archives(tmp_path: Path, entries: dict[str, bytes], addition: str) -> None:
    path = zipped(tmp_path / "a.pt", {**entries, f"honest/{addition}": b"program " * 99}, zipfile.ZIP_DEFLATED)
    assert refusal(path) == (
        "FILE is a TorchScript archive, which holds a program beside its weights; "
        "save the model's state_dict() with torch.save instead"
    )


@pytest.mark.parametrize("names", [{"other/evil": b""}, {"evil": b""}])
def test_archives_with_anything_beside_torch_s_folder(
    tmp_path: Path, entries: dict[str, bytes], names: dict[str, bytes]
) -> None:
    assert "none that torch.save wrote" in refusal(zipped(tmp_path / "a.pth", {**entries, **names}))


def test_another_byte_order(tmp_path: Path, entries: dict[str, bytes]) -> None:
    text = refusal(zipped(tmp_path / "a.pth", {**entries, "honest/byteorder": b"big"}))
    assert "FILE was written in big-endian byte order, this machine's is little; save it again as safetensors" in text


def stream(path: Path, *pickles: object, tail: bytes = b"") -> Path:
    """torch's format before 1.6: the given pickles, then `tail`. Bytes among them are a pickle already made."""
    path.write_bytes(b"".join(p if isinstance(p, bytes) else pickle.dumps(p, protocol=2) for p in pickles) + tail)
    return path


SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def two_floats(view: bytes = b"N", key: str = "0") -> bytes:
    """The pickle of {"w": a tensor of two floats in the storage `key`}."""
    name = b"X" + len(key).to_bytes(4, "little") + key.encode()
    identifier = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + name + b"X\x03\x00\x00\x00cpuK\x02" + view + b"tQ"
    return (
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n("
        + identifier
        + b"K\x00K\x02\x85K\x01\x85\x89}tRs."
    )


FLOATS = struct.pack("<q2f", 2, 1.0, 1.0)


def test_the_stream_helper_makes_readable_files(tmp_path: Path) -> None:
    path = stream(tmp_path / "a.pth", MAGIC_NUMBER, 1001, SYSTEM, two_floats(), ["0"], tail=FLOATS)
    assert read_checkpoint(path).tensors["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("pickles", "tail", "sentence"),
    [
        ((MAGIC_NUMBER + 1, 1001, SYSTEM, two_floats(), ["0"]), FLOATS, "is a pickle, but none that torch.save wrote"),
        ((MAGIC_NUMBER, 1000, SYSTEM, two_floats(), ["0"]), FLOATS, "is of an old torch format that is not known here"),
        ((MAGIC_NUMBER, 1001, [], two_floats(), ["0"]), FLOATS, "is of an old torch format that is not known here"),
        ((MAGIC_NUMBER, 1001, {}, two_floats(), ["0"]), FLOATS, "was written in big-endian byte order"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(), "0"), FLOATS, "is damaged (it lists no storages)"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(), [0]), FLOATS, "is damaged (it lists no storages)"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(), ["0", "1"]), FLOATS, "lists the storage '1' without describing it"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(), ["0", "0"]), FLOATS, "lists the storage '0' twice"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(), []), FLOATS, "should hold 8 bytes (2 of float32), the file has 0"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(), ["0"]), FLOATS[:-1], "breaks off: its storages need "),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(), ["0"]), struct.pack("<q2f", 3, 1, 1), "announces 3 elements"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(), ["0"]), struct.pack("<q2f", -1, 1, 1), "announces -1 elements"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats(b")"), ["0"]), FLOATS, "refers to something outside the pickle"),
        ((MAGIC_NUMBER, 1001, SYSTEM, two_floats()), b"", "is damaged: its pickle breaks off"),
        ((MAGIC_NUMBER,), b"", "is damaged: its pickle breaks off"),
    ],
)
def test_streams_that_make_no_sense(tmp_path: Path, pickles: tuple[object, ...], tail: bytes, sentence: str) -> None:
    assert sentence in refusal(stream(tmp_path / "a.pth", *pickles, tail=tail))


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"{", b""),
        (b"[]", bytes(8)),
        (b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', bytes(8)),
        (b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,9999]}}', bytes(8)),
        (b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}', bytes(8)),
        (b'{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}', bytes(8)),
        (b'{"w":{"dtype":"EVIL","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
        (b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(12)),
        (
            b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
            bytes(8),
        ),
    ],
)
def test_safetensors_that_make_no_sense(tmp_path: Path, header: bytes, data: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    text = refusal(path)
    assert text.startswith(("FILE is a damaged safetensors file (", "FILE is no checkpoint: "))


def test_safetensors_without_tensors(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", {}, {"geometry": "{}"})
    assert refusal(tmp_path / "a.safetensors") == "FILE holds no tensors; save the state_dict() of the model"
