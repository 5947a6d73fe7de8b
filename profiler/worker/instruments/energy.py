"""Energy counters of the device, read around timed blocks and never inside them.

NVML (NVIDIA): millijoules counted by the card, for targets that compute on it; the CPU beside it is
not in them. RAPL (x86): microjoules counted by the processor package, which wraps around at
max_energy_range_uj. INA sensors (Jetson and other boards): power of the input rail, read at both
ends of a block. Both see everything that runs on the package or board, not this process alone.
`root` is / except in tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Optional, Protocol, Union

from profiler.wire.messages import Energy
from profiler.worker.instruments.counters import read_text
from profiler.worker.instruments.nvml import Gpu

RAPL_UPDATE_NS = 1_000_000
"""The counter moves about once a millisecond (Intel SDM vol. 3, 16.10)."""
SENSOR_UPDATE_NS = 100_000_000
"""Assumed where the driver does not name its update interval."""
CARD_UPDATE_NS = 100_000_000
"""NVML's counter moves about ten times a second."""
UPDATES_A_WINDOW = 10
UPDATES_A_BLOCK = 5
"""A block must span this many updates, or what is read belongs to its neighbours, too."""
INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0", "VDD_IN_5V0")
"""Jetson's names of the rail that feeds the whole board; the other rails are parts of it."""


class Source(Protocol):
    """A counter. `kind` is what two readings mean."""

    name: str
    update_ns: int

    def read(self) -> Optional[tuple[int, ...]]:
        """The readings now, or None when one of them is gone."""

    def microjoules(self, before: tuple[int, ...], after: tuple[int, ...], wall_ns: int) -> float:
        """Energy between two readings."""


def _number(path: Union[str, Path]) -> Optional[int]:
    text = (read_text(str(path)) or "").strip()
    return int(text) if text.lstrip("-").isdigit() else None


class Zone(NamedTuple):
    """One package of RAPL."""

    path: Path
    range_uj: int


class Card:
    """The counter of one GPU: nvmlDeviceGetTotalEnergyConsumption (nvml.h)."""

    name = "NVML"
    update_ns = CARD_UPDATE_NS

    def __init__(self, millijoules: Callable[[], Optional[int]]) -> None:
        self._millijoules = millijoules

    def read(self) -> Optional[tuple[int, ...]]:
        value = self._millijoules()
        return None if value is None else (value,)

    def microjoules(self, before: tuple[int, ...], after: tuple[int, ...], wall_ns: int) -> float:
        return 1e3 * (after[0] - before[0])


def find_card(gpu: Optional[Gpu]) -> tuple[Optional[Card], str]:
    """The card's counter, or None and the reason."""
    if gpu is None:
        return None, "NVML can't be read: pip install nvidia-ml-py (in the target's Python)"
    if gpu.energy_mj() is None:
        return None, "this GPU has no energy counter (Volta and newer have one)"
    return Card(gpu.energy_mj), ""


class Rapl:
    """All packages together; DRAM and core zones are parts of them, psys overlaps them."""

    name = "RAPL"
    update_ns = RAPL_UPDATE_NS

    def __init__(self, zones: tuple[Zone, ...]) -> None:
        self.zones = zones

    def read(self) -> Optional[tuple[int, ...]]:
        values = [_number(zone.path / "energy_uj") for zone in self.zones]
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(values) else None

    def microjoules(self, before: tuple[int, ...], after: tuple[int, ...], wall_ns: int) -> float:
        total = 0
        for zone, first, last in zip(self.zones, before, after):
            # The counter runs from 0 to range_uj, so a wrap-around loses no microjoule but one.
            total += last - first if last >= first else last - first + zone.range_uj
        return float(total)


class Sensors:
    """Power readings in microwatts; energy is their mean over the block times its length."""

    name = "INA sensor"

    def __init__(self, channels: tuple[tuple[Path, ...], ...], update_ns: int) -> None:
        self.channels, self.update_ns = channels, update_ns

    def read(self) -> Optional[tuple[int, ...]]:
        watts = []
        for files in self.channels:
            values = [_number(path) for path in files]
            if any(value is None for value in values):
                return None
            # one file: microwatts; two: millivolts and milliamperes, which make microwatts
            product = 1
            for value in values:
                product *= value or 0
            watts.append(product)
        return tuple(watts)

    def microjoules(self, before: tuple[int, ...], after: tuple[int, ...], wall_ns: int) -> float:
        return (sum(before) + sum(after)) / 2 * wall_ns / 1e9


def find_rapl(root: Path) -> tuple[Optional[Rapl], str]:
    """The packages' counters, or None and the reason."""
    zones = []
    for folder in sorted((root / "sys/class/powercap").glob("*rapl:*")):
        name = (read_text(str(folder / "name")) or "").strip()
        limit = _number(folder / "max_energy_range_uj")
        if folder.name.count(":") == 1 and name.startswith("package") and limit:
            zones.append(Zone(folder, limit))
    if not zones:
        return None, "no RAPL counter (common in virtual machines)"
    rapl = Rapl(tuple(zones))
    if rapl.read() is None:
        return None, "RAPL can't be read (root only): sudo chmod a+r " + str(
            zones[0].path / "energy_uj"
        )
    return rapl, ""


def find_sensors(root: Path) -> tuple[Optional[Sensors], str]:
    """INA chips under hwmon: the input rail of a Jetson, or a chip that gives power itself."""
    channels: list[tuple[Path, ...]] = []
    updates = []
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if not (read_text(str(folder / "name")) or "").startswith("ina"):
            continue
        update_ms = _number(folder / "update_interval")
        found: list[tuple[Path, ...]] = []
        for label in sorted(folder.glob("in*_label")):
            if (read_text(str(label)) or "").strip() in INPUT_RAILS:
                number = label.name[2:].split("_")[0]
                found.append((folder / f"in{number}_input", folder / f"curr{number}_input"))
        if not found:
            found = [(path,) for path in sorted(folder.glob("power*_input"))]
        channels += found
        if found:
            updates.append(update_ms * 1_000_000 if update_ms else SENSOR_UPDATE_NS)
    if not channels:
        return None, "no INA sensor of the input rail"
    sensors = Sensors(tuple(channels), max(updates))
    return (sensors, "") if sensors.read() is not None else (None, "the INA sensor can't be read")


class Account:
    """Adds up the blocks of one runner."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.source: Optional[Source]
        self._reason: Optional[str]
        self._microjoules, self._window_ns, self._queries = 0.0, 0, 0
        self._before: Optional[tuple[int, ...]] = None
        self._start_ns = 0
        rapl, no_rapl = find_rapl(root)
        sensors, no_sensors = (None, "") if rapl else find_sensors(root)
        self.source = rapl or sensors
        self._reason = None if self.source else f"{no_rapl}; {no_sensors}"

    @classmethod
    def of_card(cls, gpu: Optional[Gpu]) -> Account:
        """The account of a runner whose work is done on a GPU: the processor's counters don't
        see it, so nothing else stands in."""
        account = cls()
        account.source, account._reason = find_card(gpu)
        return account

    def window(
        self, run: Callable[[], int], clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        """Where blocks were too short for the counter: one window that is long enough.

        `run` issues some queries and returns how many. The window begins and ends when the counter
        moves, to within one call of `run`.
        """
        source = self.source
        if source is None or self._queries:
            return
        queries, before, start_ns = 0, None, 0
        begun = False
        while not begun or clock() - start_ns < UPDATES_A_WINDOW * source.update_ns:
            done, reading = _until_it_moves(source, run, clock)
            if done == 0:
                self._reason = f"{source.name}'s counter does not move"
                return
            if begun:
                queries += done
            else:
                begun, before, start_ns = True, reading, clock()
        self.add(before, reading, clock() - start_ns, queries)

    def start(self) -> None:
        """Just before a block."""
        if self.source is not None:
            self._before, self._start_ns = self.source.read(), time.perf_counter_ns()

    def stop(self, queries: int) -> None:
        """Just after it."""
        if self.source is None:
            return
        wall_ns, after = time.perf_counter_ns() - self._start_ns, self.source.read()
        self.add(self._before, after, wall_ns, queries)

    def add(
        self,
        before: Optional[tuple[int, ...]],
        after: Optional[tuple[int, ...]],
        wall_ns: int,
        queries: int,
    ) -> None:
        """Count a block, unless it is too short for the counter or a reading is missing."""
        assert self.source is not None
        least_ns = UPDATES_A_BLOCK * self.source.update_ns
        if before is None or after is None:
            self._reason = f"{self.source.name} stopped answering"
        elif wall_ns < least_ns:
            self._reason = (
                f"blocks of {wall_ns / 1e6:.0f} ms are too short for the {self.source.name}:"
                f" block_time of {least_ns / 1e6:.0f}ms or more"
            )
        else:
            self._microjoules += self.source.microjoules(before, after, wall_ns)
            self._window_ns += wall_ns
            self._queries += queries

    def total(self) -> Energy:
        """All blocks so far."""
        if self.source is None or self._queries == 0:
            return Energy(reason=self._reason or "no block was measured")
        return Energy(
            source=self.source.name,
            joules=self._microjoules / 1e6,
            window_ns=self._window_ns,
            queries=self._queries,
        )


def offered(root: Path = Path("/")) -> dict[str, Optional[str]]:
    """The counter that a CPU's energy is read from, or why there is none."""
    account = Account(root)
    return {
        "energy_source": account.source.name if account.source else None,
        "energy_missing": account._reason,
    }


def _until_it_moves(
    source: Source, run: Callable[[], int], clock: Callable[[], int]
) -> tuple[int, Optional[tuple[int, ...]]]:
    """(queries issued until the counter moved, the new reading); no queries: it stood still."""
    first, queries = source.read(), 0
    end_ns = clock() + UPDATES_A_BLOCK * source.update_ns
    while clock() < end_ns:
        queries += run()
        reading = source.read()
        if reading != first:
            return queries, reading
    return 0, first
