"""Energy counters, read from folders as a device would show them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.worker.instruments.energy import (
    CARD_UPDATE_NS,
    Account,
    Rapl,
    Sensors,
    find_rapl,
    find_sensors,
)

MS = 1_000_000


def write(root: Path, **files: object) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (root / name).write_text(f"{value}\n")


@pytest.fixture
def rapl(tmp_path: Path) -> Callable[..., None]:
    """rapl(number, energy_uj): a package with the zones that a Xeon shows inside it."""

    def make(number: int, energy_uj: int, name: str | None = None) -> None:
        zone = tmp_path / f"sys/class/powercap/intel-rapl:{number}"
        limits = {"max_energy_range_uj": 262_143_328_850}
        write(zone, name=name or f"package-{number}", energy_uj=energy_uj, **limits)
        inner = tmp_path / f"sys/class/powercap/intel-rapl:{number}:0"
        write(inner, name="dram", energy_uj=10**9, **limits)

    return make


def test_packages_are_added_and_their_parts_are_not(rapl, tmp_path: Path) -> None:
    rapl(0, 5_000)
    rapl(1, 7_000)
    rapl(2, 99_000, "psys")
    found, _ = find_rapl(tmp_path)
    assert found is not None
    assert found.read() == (5_000, 7_000)
    assert found.microjoules((5_000, 7_000), (5_500, 7_700), 1) == 1_200


def test_a_counter_that_wraps_around(rapl, tmp_path: Path) -> None:
    rapl(0, 1)
    found, _ = find_rapl(tmp_path)
    assert found is not None
    assert found.microjoules((262_143_328_000,), (150,), 1) == 1_000


def test_amd_shows_the_same_files(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    write(zone, name="package-0", energy_uj=3, max_energy_range_uj=65_532_610_987)
    assert isinstance(find_rapl(tmp_path)[0], Rapl)


def test_no_permission_says_what_to_type(rapl, tmp_path: Path) -> None:
    rapl(0, 5)
    (tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj").unlink()
    found, reason = find_rapl(tmp_path)
    assert found is None
    assert "chmod" in reason
    assert Account(tmp_path).total().reason is not None


def jetson(root: Path, millivolts: int = 5_000, milliamperes: int = 1_200) -> Path:
    chip = root / "sys/class/hwmon/hwmon3"
    write(
        chip, name="ina3221", in1_label="VDD_IN", in1_input=millivolts, curr1_input=milliamperes,
        in2_label="VDD_CPU_GPU_CV", in2_input=5_000, curr2_input=400, update_interval=10,
    )  # fmt: skip
    return chip


def test_the_input_rail_of_a_jetson_is_the_whole(tmp_path: Path) -> None:
    jetson(tmp_path)
    write(tmp_path / "sys/class/hwmon/hwmon0", name="coretemp", power1_input=7)
    found, _ = find_sensors(tmp_path)
    assert isinstance(found, Sensors)
    assert found.read() == (6_000_000,)
    assert found.update_ns == 10 * MS
    assert found.microjoules((6_000_000,), (8_000_000,), 500 * MS) == 3_500_000


def test_a_chip_that_gives_power_itself(tmp_path: Path) -> None:
    write(tmp_path / "sys/class/hwmon/hwmon1", name="ina219", power1_input=2_500_000)
    found, _ = find_sensors(tmp_path)
    assert found is not None
    assert found.read() == (2_500_000,)
    assert found.update_ns == 100 * MS


def test_rails_that_are_only_parts_are_not_taken_for_the_whole(tmp_path: Path) -> None:
    chip = tmp_path / "sys/class/hwmon/hwmon0"
    write(chip, name="ina3221", in1_label="VDD_GPU", in1_input=5_000, curr1_input=100)
    found, reason = find_sensors(tmp_path)
    assert found is None
    assert "input rail" in reason


def test_blocks_are_added_up(rapl, tmp_path: Path) -> None:
    rapl(0, 0)
    account = Account(tmp_path)
    account.add((1_000,), (301_000,), 20 * MS, 10)
    account.add((500_000,), (700_000,), 20 * MS, 10)
    total = account.total()
    assert (total.source, total.joules) == ("RAPL", pytest.approx(0.5))
    assert (total.window_ns, total.queries) == (40 * MS, 20)


def test_a_block_shorter_than_the_counter_can_see_is_not_counted(tmp_path: Path) -> None:
    jetson(tmp_path)
    account = Account(tmp_path)
    account.add((1,), (1,), 20 * MS, 10)
    total = account.total()
    assert total.joules is None
    assert total.reason is not None
    assert "block_time of 50ms" in total.reason
    account.add((6_000_000,), (6_000_000,), 100 * MS, 10)
    assert account.total().joules == pytest.approx(0.6)


def test_a_counter_that_goes_away(rapl, tmp_path: Path) -> None:
    rapl(0, 0)
    account = Account(tmp_path)
    shutil.rmtree(tmp_path / "sys")
    account.start()
    account.stop(5)
    assert account.total().reason == "RAPL stopped answering"


def test_none_at_all(tmp_path: Path) -> None:
    account = Account(tmp_path)
    account.start()
    account.stop(5)
    total = account.total()
    assert total.joules is None
    assert "virtual machines" in str(total.reason)


class FakeCard:
    """A GPU of 200 W whose counter moves every 100 ms of a clock that queries of 7 ms advance."""

    def __init__(self, watts: float | None = 200.0) -> None:
        self.watts, self.now_ns = watts, 12_345_678

    def energy_mj(self) -> int | None:
        if self.watts is None:
            return None
        moved_ns = self.now_ns // CARD_UPDATE_NS * CARD_UPDATE_NS
        return 10**9 + round(self.watts * moved_ns / 1e6)

    def query(self) -> int:
        self.now_ns += 7 * MS
        return 1

    def clock(self) -> int:
        return self.now_ns


def test_a_card_is_counted_over_a_window_that_its_counter_can_see() -> None:
    card = FakeCard()
    account = Account.of_card(card)
    account.add((1,), (1,), 20 * MS, 10)
    assert "block_time of 500ms" in str(account.total().reason)
    account.window(card.query, card.clock)
    total = account.total()
    assert (total.source, total.queries) == ("NVML", total.window_ns // (7 * MS))
    assert total.window_ns >= 10 * CARD_UPDATE_NS
    assert total.joules / total.queries == pytest.approx(200 * 0.007, rel=0.02)


def test_blocks_that_are_long_enough_for_a_card_need_no_window() -> None:
    card = FakeCard()
    account = Account.of_card(card)
    account.add((1_000,), (101_000,), 500 * MS, 50)
    account.window(card.query, card.clock)
    total = account.total()
    assert (total.joules, total.queries) == (pytest.approx(100.0), 50)


@pytest.mark.parametrize(
    ("card", "says"),
    [(None, "pip install nvidia-ml-py"), (FakeCard(None), "Volta"), (FakeCard(0.0), "not move")],
)
def test_a_card_without_a_counter_is_not_replaced_by_the_processors(
    card: FakeCard | None, says: str
) -> None:
    account = Account.of_card(card)
    if card is not None:
        account.window(card.query, card.clock)
    total = account.total()
    assert total.joules is None
    assert says in str(total.reason)
