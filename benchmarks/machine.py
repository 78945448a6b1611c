"""What a figure was measured on: processor, memory, system, library versions. `root` stands for / in tests."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .jetson import Jetson, board_model, read_jetson
from .sysfs import read_text

GIB = 1 << 30

ARM_CORES = {
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x4e", "0x003"): "Denver 2",
    ("0x4e", "0x004"): "Carmel",
}
"""Processors that 64-bit Arm kernels name by implementer and part alone."""

LIBRARIES = {
    "numpy": ("numpy",),
    "opencv": ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"),
    "onnx": ("onnx",),
    "torch": ("torch",),
    "tensorrt": ("tensorrt", "tensorrt-cu12", "tensorrt-cu13"),
    "tensorrt-rtx": ("tensorrt-rtx",),
}
"""Libraries that decide a figure, and the distributions that may have brought them."""


@dataclass(frozen=True)
class Machine:
    """`usable_cpus`: logical processors that this process may run on; `cores`: the physical ones among them; `board`: a
    small computer's name."""

    cpu: str
    board: str | None
    cores: int
    usable_cpus: int
    memory_bytes: int
    system: str
    python: str
    libraries: dict[str, str]
    jetson: Jetson | None

    @property
    def sentence(self) -> str:
        """One line for people."""
        board = f"{self.board}, " if self.board else ""
        cpus = f"{self.cores} cores" + (f" ({self.usable_cpus} threads)" if self.usable_cpus != self.cores else "")
        return f"{board}{self.cpu}, {cpus}, {self.memory_bytes / GIB:.1f} GiB, {self.system}, Python {self.python}"


def read_machine(root: Path = Path("/")) -> Machine:
    cpuinfo = _cpuinfo(root)
    return Machine(
        cpu=_cpu_name(cpuinfo),
        board=board_model(root),
        cores=physical_cores(root),
        usable_cpus=len(_usable()),
        memory_bytes=_memory_bytes(root),
        system=_system(root),
        python=platform.python_version(),
        libraries=_libraries(),
        jetson=read_jetson(root),
    )


def physical_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use, counting two hardware threads of one core once; at least 1."""
    usable = _usable()
    cores = set()
    for number in usable:
        folder = root / f"sys/devices/system/cpu/cpu{number}/topology"
        core, package = read_text(folder / "core_id"), read_text(folder / "physical_package_id")
        cores.add((package, core) if core is not None else number)
    return max(1, len(cores))


def _usable() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _cpuinfo(root: Path) -> list[dict[str, str]]:
    """One dictionary per processor (the kernel parts them by empty lines)."""
    found = []
    for part in (read_text(root / "proc/cpuinfo") or "").split("\n\n"):
        pairs = (line.split(":", 1) for line in part.splitlines() if ":" in line)
        found.append({key.strip(): value.strip() for key, value in pairs})
    return [fields for fields in found if fields]


def _cpu_name(cpuinfo: Iterable[dict[str, str]]) -> str:
    names = [_one_cpu_name(fields) for fields in cpuinfo]
    kinds = dict.fromkeys(name for name in names if name)
    return " + ".join(kinds) or platform.processor() or platform.machine()


def _one_cpu_name(fields: dict[str, str]) -> str | None:
    if "model name" in fields:
        return " ".join(fields["model name"].split())
    part = (fields.get("CPU implementer", ""), fields.get("CPU part", ""))
    if not part[1]:
        return None
    return ARM_CORES.get(part, f"Arm core {part[0]}:{part[1]}")


def _memory_bytes(root: Path) -> int:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _system(root: Path) -> str:
    kernel = f"{platform.system()} {platform.release()}"
    for line in (read_text(root / "etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return f"{line.split('=', 1)[1].strip().strip(chr(34))} ({kernel})"
    return kernel


def _libraries() -> dict[str, str]:
    """Versions of what is installed, read from the packages' metadata so that nothing is loaded."""
    found = {}
    for library, distributions in LIBRARIES.items():
        for distribution in distributions:
            try:
                found[library] = importlib.metadata.version(distribution)
            except importlib.metadata.PackageNotFoundError:
                continue
            break
    return found
