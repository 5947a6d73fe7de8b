"""Heat, from recordings of what boards show; no sleeping: time is handed in."""

from pathlib import Path
from typing import Any

import pytest

from profiler.wire import disturbance
from profiler.wire.messages import Block, Thermal
from profiler.worker.instruments.thermal import (
    PAUSE_LIMIT_S,
    PAUSES,
    Thermometer,
    parse_throttled,
    remembered,
)

PI5 = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61700\n",
    "sys/class/thermal/thermal_zone0/trip_point_0_type": "critical\n",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp": "110000\n",
    "sys/class/thermal/thermal_zone0/trip_point_1_type": "passive\n",
    "sys/class/thermal/thermal_zone0/trip_point_1_temp": "80000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "2400000\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
}
LAPTOP = {
    "sys/class/thermal/thermal_zone0/type": "acpitz\n",
    "sys/class/thermal/thermal_zone0/temp": "27800\n",
    "sys/class/thermal/thermal_zone5/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone5/temp": "71000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "3100000\n",
    "sys/devices/system/cpu/cpufreq/policy1/scaling_cur_freq": "1400000\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "7\n",
    "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "0\n",
}
PI_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
PI_TEMP = "sys/class/thermal/thermal_zone0/temp"


def board(root: Path, files: dict[str, str], **more: Any) -> Thermometer:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Thermometer(root, **{"firmware": lambda: None, **more})


def test_a_virtual_machine_has_none_of_it(tmp_path: Path) -> None:
    found = board(tmp_path, {})
    assert found.read() is None
    assert found.wait(lambda celsius: None) == 0.0


def test_a_board_with_firmware(tmp_path: Path) -> None:
    found = board(tmp_path, PI5)
    assert found.read() == Thermal(celsius=61.7, mhz=(2400,), throttled=())
    (tmp_path / PI_THROTTLED).write_text("e0006\n")
    read = found.read()
    assert read is not None
    assert read.throttled == ("frequency capped", "throttled")


def test_vcgencmd_where_sysfs_does_not_tell(tmp_path: Path) -> None:
    files = {name: text for name, text in PI5.items() if "firmware" not in name}
    assert board(tmp_path, files).read() == Thermal(celsius=61.7, mhz=(2400,), throttled=None)
    read = board(tmp_path, files, firmware=lambda: "throttled=0x50005\n").read()
    assert read is not None
    assert read.throttled == ("under-voltage", "throttled")


def test_counters_of_x86_count_since_the_last_reading(tmp_path: Path) -> None:
    found = board(tmp_path, LAPTOP)
    assert found.read() == Thermal(celsius=71.0, mhz=(3100, 1400), throttled=())
    counter = tmp_path / "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count"
    counter.write_text("3\n")
    read, after = found.read(), found.read()
    assert read is not None
    assert after is not None
    assert read.throttled == ("thermal throttling",)
    assert after.throttled == ()


@pytest.mark.parametrize(
    ("text", "reasons"),
    [("throttled=0x0", ()), ("0", ()), ("50000", ()), ("8", ("soft temperature limit",)),
     ("VCHI initialization failed", None), ("", None), (None, None)],
)  # fmt: skip
def test_bits_of_the_firmware(text: str | None, reasons: tuple[str, ...] | None) -> None:
    assert parse_throttled(text) == reasons


class Cooling:
    """A board that loses one degree every half second."""

    def __init__(self, root: Path, start: int, step: int = 1000) -> None:
        self.path, self.now, self.celsius, self.step = root / PI_TEMP, 0.0, start, step
        self.told: list[float | None] = []
        self.path.write_text(str(start))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.celsius -= self.step
        self.path.write_text(str(self.celsius))

    def wait(self, found: Thermometer) -> float:
        return found.wait(self.told.append, clock=lambda: self.now, sleep=self.sleep)


def test_it_waits_near_the_trip_point_until_well_below(tmp_path: Path) -> None:
    found = board(tmp_path, PI5)
    assert Cooling(tmp_path, 76_000).wait(found) == 0.0, "warm is not hot"
    hot = Cooling(tmp_path, 79_000)
    assert hot.wait(found) == 3.5
    assert hot.celsius == 72_000
    assert hot.told[0] == 79.0


def test_it_waits_while_the_firmware_holds_back_and_not_for_ever(tmp_path: Path) -> None:
    found = board(tmp_path, PI5)
    (tmp_path / PI_THROTTLED).write_text("6\n")
    for _ in range(PAUSES):
        assert Cooling(tmp_path, 50_000, step=0).wait(found) > PAUSE_LIMIT_S
    assert Cooling(tmp_path, 50_000).wait(found) == 0.0


def test_a_weak_power_supply_is_told_and_not_waited_for(tmp_path: Path) -> None:
    found = board(tmp_path, PI5)
    (tmp_path / PI_THROTTLED).write_text("1\n")
    read = found.read()
    assert read is not None
    assert read.throttled == ("under-voltage",)
    assert Cooling(tmp_path, 50_000, step=0).wait(found) == 0.0


def test_a_throttled_block_is_measured_once_more() -> None:
    block = Block(position=0, queries=1, wall_ns=10**7, cpu_ns=10**7)
    assert disturbance.of_block(block) is None
    held = Block(position=0, queries=1, wall_ns=10**7, cpu_ns=10**7,
                 thermal=Thermal(throttled=("throttled",)))  # fmt: skip
    assert "throttled" in (disturbance.of_block(held) or "")


def test_the_firmware_is_asked_ten_times_a_second_at_most() -> None:
    """Blocks take 10 ms, and the command some of them: it was started twice a block."""
    asked, now = [], [0]
    ask = remembered(lambda: asked.append(1) or str(len(asked)), lambda: now[0])
    assert [ask(), ask()] == ["1", "1"]
    now[0] = 99_000_000
    assert ask() == "1"
    now[0] = 100_000_000
    assert [ask(), ask()] == ["2", "2"]
    assert len(asked) == 2
