from __future__ import annotations

from pathlib import Path

import pytest
from ostrack_edge.benchmarks.jetson import read_jetson
from ostrack_edge.benchmarks.machine import read_machine
from ostrack_edge.benchmarks.sysfs import Clock, read_conditions, read_text

ORIN = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n\n"
    "processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n",
    "proc/meminfo": "MemTotal:        7802328 kB\nMemFree:         1 kB\n",
    "etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n",
    "var/lib/nvpmodel/status": "pmode:0002\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1728000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1728000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "schedutil\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq": "729600\n",
    "sys/class/devfreq/17000000.gpu/cur_freq": "306000000\n",
    "sys/class/devfreq/17000000.gpu/max_freq": "1020000000\n",
    "sys/class/devfreq/17000000.gpu/governor": "nvhost_podgov\n",
    "sys/class/devfreq/15340000.vic/cur_freq": "115200000\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48531\n",
    "sys/class/thermal/thermal_zone10/type": "tj-thermal\n",
    "sys/class/thermal/thermal_zone10/temp": "49000\n",
    "sys/class/thermal/thermal_zone2/type": "switched-off\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_jetson(tmp_path: Path) -> None:
    machine = read_machine(tree(tmp_path, ORIN))
    assert machine.cpu == "Cortex-A78AE"
    assert machine.board == "NVIDIA Jetson Orin Nano Developer Kit"
    assert machine.memory_bytes == 7802328 * 1024
    assert machine.system.startswith("Ubuntu 22.04.5 LTS (")
    assert machine.jetson is not None
    assert (machine.jetson.l4t, machine.jetson.power_mode) == ("36.4.3", "2 (MAXN_SUPER)")
    assert "Orin Nano" in machine.sentence
    assert "7.4 GiB" in machine.sentence


def test_clocks_and_temperatures(tmp_path: Path) -> None:
    conditions = read_conditions(tree(tmp_path, ORIN))
    assert conditions.clocks == (
        Clock("policy0", 1728.0, 1728.0, "schedutil"),
        Clock("policy4", 729.6, None, None),
        Clock("17000000.gpu", 306.0, 1020.0, "nvhost_podgov"),
    )
    assert conditions.temperatures == {"cpu-thermal": 48.531, "tj-thermal": 49.0}


@pytest.mark.parametrize("name", ["17000000.gv11b", "17000000.gp10b", "57000000.gpu", "gpu-gpc-0"])
def test_names_of_graphics_processors(tmp_path: Path, name: str) -> None:
    conditions = read_conditions(tree(tmp_path, {f"sys/class/devfreq/{name}/cur_freq": "1000000"}))
    assert [c.unit for c in conditions.clocks] == [name]


def test_a_jetson_in_a_container_lacks_its_files(tmp_path: Path) -> None:
    jetson = read_jetson(tree(tmp_path, {"proc/device-tree/model": ORIN["proc/device-tree/model"]}))
    assert jetson is not None
    assert (jetson.l4t, jetson.power_mode) == (None, None)


def test_a_power_mode_without_a_name(tmp_path: Path) -> None:
    files = {k: v for k, v in ORIN.items() if k != "etc/nvpmodel.conf"}
    jetson = read_jetson(tree(tmp_path, files))
    assert jetson is not None
    assert jetson.power_mode == "2"


def test_another_board_is_no_jetson(tmp_path: Path) -> None:
    files = {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"}
    files["proc/cpuinfo"] = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"
    machine = read_machine(tree(tmp_path, files))
    assert machine.jetson is None
    assert (machine.board, machine.cpu) == ("Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76")


def test_processors_of_two_kinds_and_of_no_known_kind(tmp_path: Path) -> None:
    part = "processor\t: {}\nCPU implementer\t: 0x41\nCPU part\t: {}\n"
    cpuinfo = "\n".join(part.format(i, p) for i, p in enumerate(["0xd05", "0xd05", "0xd0b", "0xfff"]))
    machine = read_machine(tree(tmp_path, {"proc/cpuinfo": cpuinfo}))
    assert machine.cpu == "Cortex-A55 + Cortex-A76 + Arm core 0x41:0xfff"


def test_a_pc(tmp_path: Path) -> None:
    machine = read_machine(tree(tmp_path, {"proc/cpuinfo": "processor: 0\nmodel name\t: Some  CPU @ 3.00GHz\n"}))
    assert (machine.cpu, machine.board, machine.jetson) == ("Some CPU @ 3.00GHz", None, None)
    assert machine.libraries["numpy"]


def test_hardware_threads_of_one_core_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    folder = "sys/devices/system/cpu/cpu{}/topology/"
    files = {folder.format(i) + "core_id": str(i % 2) for i in range(4)}
    files |= {folder.format(i) + "physical_package_id": "0" for i in range(4)}
    machine = read_machine(tree(tmp_path, files))
    assert (machine.cores, machine.usable_cpus) == (2, 4)


def test_this_machine_answers() -> None:
    machine = read_machine()
    assert machine.cores >= 1
    assert machine.memory_bytes > 1 << 28
    read_conditions()


def test_a_file_that_does_not_answer_is_absent(tmp_path: Path) -> None:
    assert read_text(tmp_path) is None
    assert read_text(tmp_path / "nothing") is None
