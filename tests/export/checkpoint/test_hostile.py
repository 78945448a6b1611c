"""Checkpoints that try to run something: every one is refused by name, and nothing of it has run."""

import argparse
import functools
import importlib
import operator
import os
import pickle
import random
import runpy
import shutil
import subprocess
import sys
import timeit
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.hub
from ostrack_edge.export.checkpoint import read_checkpoint, write_safetensors
from ostrack_edge.runtime.errors import CheckpointError

SYSTEM = f"{os.name}.system"
"""What pickle calls os.system."""


class Calls:
    """Pickles as a call of `function` with `args`. Callable itself, so that a call's result can be called again."""

    def __init__(self, function: Callable[..., Any], *args: object) -> None:
        self.reduced = (function, args)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.reduced

    def __call__(self) -> None:
        raise AssertionError("only pickle's check that this is callable needs it")


def refusal(path: Path) -> str:
    """The one sentence with which `path` is refused; it names the file."""
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert text.isascii()
    assert text.isprintable()
    return text.replace(str(path), "FILE")


def packed(path: Path, program: bytes) -> Path:
    """A torch archive whose pickle is `program`."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/data/0", np.ones(2, np.float32).tobytes())
    return path


def payloads(marker: Path) -> dict[str, tuple[str, Callable[[], Any]]]:
    """Name -> (the culprit as the refusal must name it, what pickles to a program that makes `marker`)."""
    folder = marker.parent
    echo = f'echo ran > "{marker}"'
    touch = f"open({str(marker)!r}, 'w').close()"
    (folder / "source").write_text("ran", encoding="utf-8")
    for script in ("trap_module.py", "hubconf.py"):
        (folder / script).write_text(f"{touch}\ndef trap():\n    pass\n", encoding="utf-8")
    system_module = Calls(importlib.import_module, "os")
    got = Calls(Calls(operator.attrgetter, "system"), system_module)
    inner = pickle.dumps(Calls(os.system, echo))
    return {
        "system": (SYSTEM, lambda: Calls(os.system, echo)),
        "eval": ("builtins.eval", lambda: Calls(eval, touch)),
        "exec": ("builtins.exec", lambda: Calls(exec, touch)),
        "import": ("builtins.__import__", lambda: Calls(__import__, "trap_module")),
        "import_module": ("importlib.import_module", lambda: Calls(importlib.import_module, "trap_module")),
        "getattr": ("builtins.getattr", lambda: Calls(Calls(getattr, system_module, "system"), echo)),
        "attrgetter": ("operator.attrgetter", lambda: Calls(got, echo)),
        "partial": ("functools.partial", lambda: Calls(functools.partial(os.system, echo))),
        "subprocess": ("subprocess.call", lambda: Calls(subprocess.call, [sys.executable, "-c", touch])),
        "run_path": ("runpy.run_path", lambda: Calls(runpy.run_path, str(folder / "trap_module.py"))),
        "timeit": ("timeit.timeit", lambda: Calls(timeit.timeit, touch, "pass", timeit.default_timer, 1)),
        "mkdir": (f"{os.name}.mkdir", lambda: Calls(os.mkdir, str(marker))),
        "copy": ("shutil.copy", lambda: Calls(shutil.copy, str(folder / "source"), str(marker))),
        "loads": ("pickle.loads", lambda: Calls(pickle.loads, inner)),
        "hub": ("torch.hub._load_local", lambda: Calls(torch.hub._load_local, str(folder), "trap")),
        "torch.save": ("torch.serialization.save", lambda: Calls(torch.save, 1, str(marker))),
        "numpy": ("numpy.savetxt", lambda: Calls(np.savetxt, str(marker), [1.0])),
        "own": (f"{write_safetensors.__module__}.write", lambda: Calls(write_safetensors, str(marker), {}, {})),
    }


PAYLOADS = """
system eval exec import import_module getattr attrgetter partial subprocess run_path timeit mkdir copy loads hub
torch.save numpy own
"""


@pytest.mark.parametrize("name", PAYLOADS.split())
def test_what_a_plain_unpickler_would_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    marker = tmp_path / "marker"
    culprit, make = payloads(marker)[name]
    path = tmp_path / "hostile.pth"
    torch.save({"net": {"w": torch.ones(2)}, "stats": make()}, path)
    text = refusal(path)
    assert culprit in text
    assert "nothing of it was run" in text
    assert not marker.exists()
    assert "trap_module" not in sys.modules
    # The payload is live: the standard unpickler does run it.
    pickle.loads(pickle.dumps(make(), protocol=2))  # noqa: S301 - that is what is shown
    assert marker.exists()
    sys.modules.pop("trap_module", None)


@pytest.mark.parametrize("stream", [False, True], ids=["zip", "stream"])
@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_and_both_containers(tmp_path: Path, stream: bool, protocol: int) -> None:
    marker = tmp_path / "marker"
    value = {"hook": Calls(os.system, f'echo > "{marker}"'), "net": {"w": torch.ones(2)}}
    path = tmp_path / "hostile.pth"
    torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not stream)
    text = refusal(path)
    if stream and protocol < 2:
        # Its magic number is then written as text, which no torch.save of its own accord does.
        assert "FILE is no checkpoint" in text
    else:
        assert SYSTEM in text
    assert not marker.exists()


@pytest.mark.parametrize("place", ["root", "net", "value", "key", "argument", "state", "first storage key"])
def test_every_place(tmp_path: Path, place: str) -> None:
    marker = tmp_path / "marker"
    evil = Calls(os.system, f'echo > "{marker}"')
    tensor = torch.ones(2)
    values: dict[str, object] = {
        "root": evil,
        "net": {"net": evil},
        "value": {"net": {"w": tensor, "x": evil}},
        "key": {"net": {evil: tensor}},
        "argument": {"net": {"w": tensor}, "size": Calls(torch.Size, [evil])},
        "state": {"net": {"w": tensor}, "args": Holder(evil)},
    }
    path = tmp_path / "hostile.pth"
    if place == "first storage key":
        torch.save({"w": tensor}, path, _use_new_zipfile_serialization=False)
        keys = path.read_bytes().rindex(b"\x80\x02]")
        path.write_bytes(path.read_bytes()[:keys] + pickle.dumps([evil], protocol=2))
    else:
        torch.save(values[place], path)
    assert SYSTEM in refusal(path)
    assert not marker.exists()


class Holder:
    """Pickles as an argparse.Namespace, which is permitted and inert, with `payload` in its state."""

    def __init__(self, payload: object) -> None:
        self.payload = payload

    def __reduce__(self) -> tuple[object, ...]:
        return argparse.Namespace, (), {"payload": self.payload}


def test_a_plain_pickle_is_refused_by_name_too(tmp_path: Path) -> None:
    path, marker = tmp_path / "hostile.pkl", tmp_path / "marker"
    path.write_bytes(pickle.dumps(Calls(os.system, f'echo > "{marker}"')))
    assert SYSTEM in refusal(path)
    assert not marker.exists()


def test_whole_modules_are_refused_by_name(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    assert "refers to torch.nn.modules.linear.Linear, which belongs to the loaded module torch" in refusal(
        tmp_path / "module.pth"
    )


def named(module: str, attribute: str) -> bytes:
    """A pickle of protocol 4 that calls `module.attribute`."""
    texts = [text.encode() for text in (module, attribute)]
    return b"\x80\x04" + b"".join(b"X" + len(text).to_bytes(4, "little") + text for text in texts) + b"\x93)R."


NAMES = """
os:system posix:system nt:system sys:exit builtins:eval builtins:compile builtins:type builtins:set.__init__
copyreg:_reconstructor copyreg:__newobj__ codecs:open _codecs:decode importlib:reload pickle:loads io:open
collections:defaultdict collections:OrderedDict.fromkeys pathlib:PosixPath types:FunctionType os:path.os.system
antigravity:geohash this:s __hello__:main __main__:anything _frozen_importlib:_gcd_import argparse:Namespace.__init__
torch:load torch.hub:load torch.jit:load torch.ops:load_library torch.classes:load_library torch.nn:Parameter
torch:_utils._rebuild_tensor_v2 torch._utils:sys.exit torch._utils:_rebuild_qtensor torch.storage:TypedStorage
torch.utils.cpp_extension:load torch.package:PackageImporter numpy:load numpy:fromfile
numpy.core.multiarray:fromfile numpy._core.multiarray:scalar.__class__ pytest:main onnx:load safetensors.torch:save_file
ostrack_edge.export:read_checkpoint
"""


@pytest.mark.parametrize("name", NAMES.split())
@pytest.mark.parametrize("spelling", ["global", "stack", "inst"])
def test_names_of_anything_installed(tmp_path: Path, name: str, spelling: str) -> None:
    before = set(sys.modules)
    module, attribute = name.split(":")
    program = {
        "global": f"\x80\x02c{module}\n{attribute}\n)R.".encode("latin-1"),
        "stack": named(module, attribute),
        "inst": f"(i{module}\n{attribute}\n.".encode(),
    }[spelling]
    text = refusal(packed(tmp_path / "hostile.pth", program))
    assert f"FILE refers to {module}.{attribute}, which belongs to " in text
    assert all(new.startswith("encodings.") for new in set(sys.modules) - before)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("__builtin__.eval", "builtins.eval"),
        ("__builtin__.apply", "builtins.apply"),
        ("commands.getoutput", "subprocess.getoutput"),
        ("copy_reg._reconstructor", "copyreg._reconstructor"),
        ("cPickle.loads", "pickle.loads"),
        ("exceptions.SystemExit", "builtins.SystemExit"),
        ("urllib2.urlopen", "urllib.request.urlopen"),
        ("__builtin__.reduce", "functools.reduce"),
    ],
)
def test_python_2_names_are_seen_for_what_they_are(tmp_path: Path, written: str, meant: str) -> None:
    module, attribute = written.split(".")
    text = refusal(packed(tmp_path / "hostile.pth", f"\x80\x02c{module}\n{attribute}\n)R.".encode("latin-1")))
    assert f"refers to {meant}, which belongs to Python itself" in text


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        *[("", "system"), (".os", "system"), ("os.", "system"), ("os", ""), ("os ", "system"), (" os", "system")],
        *[("os\0", "system"), ("../os", "system"), ("os\r", "system"), ("lib..os", "system"), ("lib", "a b")],
        *[("lib;import os", "system"), ("\x1b[2Jlib", "x"), ("lib", "\u202ex"), ("lib" * 5000, "\n")],
    ],
)
def test_names_that_no_module_has(tmp_path: Path, module: str, attribute: str) -> None:
    text = refusal(packed(tmp_path / "hostile.pth", named(module, attribute)))
    assert ", which is no name that a module has; nothing of it was run" in text
    assert len(text) < 500


def test_a_module_on_the_path_is_refused_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap" / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    (tmp_path / "folder_only" / "sub").mkdir(parents=True)
    path = packed(tmp_path / "hostile.pth", b"\x80\x02ctrap.sub.deep\nrun\n)R.")
    bare = packed(tmp_path / "bare.pth", b"\x80\x02cfolder_only.sub\nrun\n)R.")
    assert "holds an object of trap.sub.deep.run" in refusal(path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "trap.sub.deep.run, which belongs to the installed module trap" in refusal(path)
    assert "folder_only.sub.run, which belongs to the installed module folder_only" in refusal(bare)
    assert not {"trap", "folder_only"} & set(sys.modules)


OPCODES = b"cRb(tl}]su.eQ0123\x81\x85\x86\x87\x93\x94jhqr"


def test_any_damage_ends_in_one_sentence(tmp_path: Path) -> None:
    """Bytes changed, cut out, doubled at random: the file is read or refused by a CheckpointError, and nothing else."""
    rng = random.Random(0)
    state = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).state_dict()
    path = tmp_path / "a.pth"
    torch.save({"net": state, "stats": {"seen": {1, 2}}}, path)
    with zipfile.ZipFile(path) as archive:
        program = archive.read("a/data.pkl")
    torch.save({"net": state}, path, _use_new_zipfile_serialization=False)
    stream = path.read_bytes()
    write_safetensors(path, state, {})
    safe = path.read_bytes()
    read = refused = 0
    for index in range(900):
        data = bytearray((program, stream, safe)[index % 3])
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(len(data))
            action = rng.randrange(4)
            if action < 2:
                data[at] = (
                    rng.choice(b"cRb(tl}]su.eQ0123\x81\x85\x86\x87\x93\x94jhqr") if action else rng.randrange(256)
                )
            elif action == 2:
                del data[at : at + rng.randrange(1, 9)]
            else:
                data[at:at] = data[at : at + 9]
        if index % 3:
            path.write_bytes(data)
        else:
            packed(path, bytes(data))
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            refused += str(path) in str(error)
        else:
            read += 1
    assert refused + read == 900
    assert refused > 500
