"""Which engine libraries serve, and how targets are named."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ostrack_edge.export.engines import flavours
from ostrack_edge.export.engines.flavours import check_library, load_library
from ostrack_edge.export.engines.targets import Target, capabilities, parse_targets, resolve
from ostrack_edge.runtime.cuda import DeviceInfo
from ostrack_edge.runtime.errors import BackendError, InputError, MissingExtraError
from ostrack_edge.runtime.manifest import Flavour


def whole(version: str) -> SimpleNamespace:
    return SimpleNamespace(__version__=version, **{name: object() for name in flavours._NEEDED})


@pytest.mark.parametrize("version", ["10.3.0", "10.13.3.9", "11.4.0.1", "10.3.0.post2"])
def test_versions_that_serve(version: str) -> None:
    assert check_library(Flavour.TENSORRT, whole(version)).version == version


@pytest.mark.parametrize("version", ["8.5.2.2", "8.6.1", "10.2.0.19", "9.3.0", "", "unknown"])
def test_older_ones_are_refused_in_a_sentence(version: str) -> None:
    with pytest.raises(BackendError, match=r"too old .* 10.3 or newer .*JetPack 6.1"):
        check_library(Flavour.TENSORRT, whole(version))


def test_one_that_lacks_a_part() -> None:
    module = whole("10.3.0")
    del module.IProgressMonitor
    with pytest.raises(BackendError, match="lacks IProgressMonitor"):
        check_library(Flavour.TENSORRT, module)


def test_one_that_is_absent_or_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flavours, "installed", lambda package: False)
    with pytest.raises(MissingExtraError, match=r"pip install 'ostrack-edge\[rtx\]'"):
        load_library(Flavour.RTX)

    def broken(name: str) -> None:
        raise OSError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(flavours, "installed", lambda package: True)
    monkeypatch.setattr(flavours, "import_module", broken)
    with pytest.raises(BackendError, match="does not load: libnvinfer"):
        load_library(Flavour.TENSORRT)


def test_targets_are_read_once_each() -> None:
    found = parse_targets("rtx:sm86, rtx:sm89,rtx:sm86,tensorrt,rtx")
    assert list(map(str, found)) == ["rtx:sm86", "rtx:sm89", "tensorrt", "rtx"]


@pytest.mark.parametrize("text", ["", "cuda", "rtx:", "rtx:86", "rtx:ampere", "tensorrt:sm87", "rtx:sm86,,"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(InputError, match=r"target|tensorrt"):
        parse_targets(text)


def test_the_gpu_that_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    device = DeviceInfo("Orin", (8, 7), True)
    monkeypatch.setattr("ostrack_edge.export.engines.targets.find_gpu", lambda: device)
    library = check_library(Flavour.TENSORRT, whole("10.3.0"))
    assert resolve(Target(Flavour.TENSORRT, None), library) == "sm87"
    with pytest.raises(InputError, match="not for sm87; for another GPU run --target tensorrt on it"):
        resolve(Target(Flavour.RTX, None), load_library(Flavour.RTX))


def test_the_capabilities_of_the_installed_library() -> None:
    found = capabilities(load_library(Flavour.RTX).module)
    assert {"sm86", "sm89"} <= set(found)
    assert found[0] == "sm75"
    assert "none" not in found
