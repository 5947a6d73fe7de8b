"""Pure parsers on text recorded from real machines."""

from pathlib import Path

from profiler.worker.instruments.counters import parse_cpu_line, parse_status_bytes
from profiler.worker.instruments.facts import (
    parse_bracketed,
    parse_cpuinfo,
    parse_meminfo,
    parse_os_release,
)

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8488C
microcode\t: 0x2b000603
flags\t\t: fpu vme avx2 avx512_vnni amx_int8

processor\t: 1
model name\t: something else
"""
PI5 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd0b

Hardware\t: BCM2835
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""


def test_cpuinfo_of_x86_and_arm() -> None:
    x86, arm = parse_cpuinfo(X86), parse_cpuinfo(PI5)
    assert x86["cpu"] == "Intel(R) Xeon(R) Platinum 8488C"
    assert x86["microcode"] == "0x2b000603"
    assert "avx512_vnni" in x86["cpu_flags"]
    assert arm["cpu"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert "asimddp" in arm["cpu_flags"]
    assert arm["microcode"] is None


def test_what_is_not_there_is_none() -> None:
    assert parse_cpuinfo("")["cpu"] is None
    assert parse_meminfo("") == {"memory_bytes": None, "memory_available_bytes": None}
    assert parse_bracketed(None) is None
    assert parse_os_release("NAME=x") is None


def test_small_files() -> None:
    memory = parse_meminfo("MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:   8192 kB\n")
    assert memory == {"memory_bytes": 16777216, "memory_available_bytes": 8388608}
    assert parse_bracketed("always [madvise] never\n") == "madvise"
    assert parse_os_release('PRETTY_NAME="Debian GNU/Linux 12"\n') == "Debian GNU/Linux 12"
    assert parse_status_bytes("VmPeak: 9 kB\nVmHWM:\t   1234 kB\n", "VmHWM") == 1234 * 1024


def test_cpu_line_counts_no_idle_and_splits_off_steal() -> None:
    busy, steal = parse_cpu_line("cpu  10 1 5 1000 7 2 3 4 0 0\ncpu0 1 1\n")
    assert busy == (10 + 1 + 5 + 2 + 3) * 10_000_000
    assert steal == 4 * 10_000_000


def test_cores_that_are_not_equal_are_told_apart(tmp_path: Path) -> None:
    """RK3588: four A55 and two pairs of A76, as its sysfs shows them."""
    from profiler.analysis.trials.stability import of_machine
    from profiler.worker.instruments.facts import core_groups

    assert core_groups(tmp_path) == []
    for cpu in range(8):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        (folder / "cpufreq").mkdir(parents=True)
        (folder / "cpu_capacity").write_text("414\n" if cpu < 4 else "1024\n")
        khz = 1_800_000 if cpu < 4 else 2_400_000
        (folder / "cpufreq" / "cpuinfo_max_freq").write_text(f"{khz}\n")
    (tmp_path / "sys/devices/system/cpu/cpuidle").mkdir()
    groups = core_groups(tmp_path)
    assert groups == [
        {"cpus": [0, 1, 2, 3], "capacity": 414, "mhz": 1800},
        {"cpus": [4, 5, 6, 7], "capacity": 1024, "mhz": 2400},
    ]
    advice = [f.advice for f in of_machine({"core_groups": groups}) if "not equal" in f.text]
    assert advice == ['measure each kind: [sweep] affinity = ["0,1,2,3", "4,5,6,7"]']
    known = {"core_groups": groups, "usable_cpus": [*range(8)]}
    advice = [f.advice for f in of_machine(known) if "not equal" in f.text]
    assert advice == ['measure each kind: [sweep] affinity = ["big", "little", "all"]']
    assert not [f for f in of_machine({"core_groups": groups[:1]}) if "not equal" in f.text]
