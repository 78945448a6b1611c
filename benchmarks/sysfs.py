"""The kernel's small text files: clocks and temperatures, which any Linux board has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

GPU_NAMES = re.compile(r"gpu|\bg[a-z]\d\d[a-z]$")
"""Devfreq devices that are graphics processors: `17000000.gpu`, and NVIDIA's older names (gv11b, gp10b, ga10b)."""


@dataclass(frozen=True)
class Clock:
    """MHz now, and the most that the governor may choose."""

    unit: str
    mhz: float
    max_mhz: float | None
    governor: str | None


@dataclass(frozen=True)
class Conditions:
    """The machine's state at one moment; temperatures in degrees Celsius by thermal zone."""

    clocks: tuple[Clock, ...]
    temperatures: dict[str, float]


def read_text(path: Path) -> str | None:
    """A small file's text without the NULs that device trees end in; None where it is absent or does not answer.

    A thermal zone of a unit that is switched off refuses to be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", "").strip()
    except OSError:
        return None


def read_number(path: Path) -> float | None:
    try:
        return float(read_text(path) or "")
    except ValueError:
        return None


def read_conditions(root: Path = Path("/")) -> Conditions:
    cpus = [_clock(p, p.name, "scaling_", 1e3) for p in _folders(root / "sys/devices/system/cpu/cpufreq", "policy")]
    gpus = [_clock(p, p.name, "", 1e6) for p in _folders(root / "sys/class/devfreq") if GPU_NAMES.search(p.name)]
    clocks = tuple(c for c in (*cpus, *gpus) if c is not None)
    return Conditions(clocks, _temperatures(root / "sys/class/thermal"))


def _clock(folder: Path, unit: str, prefix: str, per_mhz: float) -> Clock | None:
    now = read_number(folder / f"{prefix}cur_freq")
    if now is None:
        return None
    most = read_number(folder / f"{prefix}max_freq")
    governor = read_text(folder / ("scaling_governor" if prefix else "governor"))
    return Clock(unit, now / per_mhz, most and most / per_mhz, governor)


def _temperatures(folder: Path) -> dict[str, float]:
    found = {}
    for zone in _folders(folder, "thermal_zone"):
        millidegrees = read_number(zone / "temp")
        if millidegrees is not None:
            found[read_text(zone / "type") or zone.name] = millidegrees / 1e3
    return found


def _folders(parent: Path, prefix: str = "") -> list[Path]:
    try:
        names = [p for p in parent.iterdir() if p.name.startswith(prefix)]
    except OSError:
        return []
    return sorted(names, key=lambda p: [int(n) if n.isdigit() else n for n in re.split(r"(\d+)", p.name)])
