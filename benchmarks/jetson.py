"""What a Jetson says of itself; every file here can be read without root."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .sysfs import read_text

RELEASE = re.compile(r"R(\d+) \(release\), REVISION: ([\d.]+)")
MODE = re.compile(r"pmode:(\d+)")
MODE_NAME = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>")


@dataclass(frozen=True)
class Jetson:
    """`l4t`: the release of Jetson Linux; `power_mode`: number and name of nvpmodel's mode; None where the file that
    says so is absent, as in a container."""

    model: str
    l4t: str | None
    power_mode: str | None


def board_model(root: Path) -> str | None:
    """A board's name from its device tree; None on a PC."""
    return read_text(root / "proc/device-tree/model")


def read_jetson(root: Path) -> Jetson | None:
    """None on any other machine."""
    release = read_text(root / "etc/nv_tegra_release")
    model = board_model(root) or ""
    if release is None and "jetson" not in model.lower():
        return None
    found = RELEASE.search(release or "")
    return Jetson(model or "Jetson", ".".join(found.groups()) if found else release, _power_mode(root))


def _power_mode(root: Path) -> str | None:
    """The mode that nvpmodel wrote down last, by the name that its configuration gives it."""
    state = MODE.search(read_text(root / "var/lib/nvpmodel/status") or "")
    if state is None:
        return None
    number = int(state[1])
    names = dict(MODE_NAME.findall(read_text(root / "etc/nvpmodel.conf") or ""))
    name = names.get(str(number))
    return f"{number} ({name})" if name else str(number)
